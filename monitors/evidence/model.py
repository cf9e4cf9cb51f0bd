"""The fitted part of the evidence: what a version carries with it. Fixed after the fit; holds counts, no row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitors.evidence.channels import TENSOR, Cause, Channels, Rows
from monitors.evidence.dependence import dependence
from monitors.evidence.joint import fitting_rows
from monitors.evidence.table import Allowance, Table, build_table
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["EvidenceModel"]

JOINT_WEIGHT = 0.4
LEAST_REFERENCE_ROWS = 5_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceModel:
    """Channels, table and weights of a version.

    Parameters
    ----------
    channels
        What is counted.
    counts_cb : (c, b) int64
        Reference counts; those of joint channels are of the rows that the components were not fitted on.
    phi_c : (c,) float64
        Dependence of each channel.
    allowance
        What counts as unchanged.
    """

    channels: Channels
    counts_cb: npt.NDArray[np.int64]
    phi_c: Floats
    allowance: Allowance
    table: Table = field(init=False)

    def __post_init__(self) -> None:
        table = build_table(self.channels.grid, self.counts_cb, self.phi_c, self.allowance)
        object.__setattr__(self, "table", table)

    @classmethod
    def fit(
        cls,
        rows: Rows,
        features: Sequence[FeatureSchema],
        output: OutputSchema = TENSOR,
        *,
        allowance: Allowance | None = None,
        learns_dependence: bool = True,
    ) -> EvidenceModel:
        """Fit on reference rows, in the order in which they came."""
        channels = Channels.fit(rows, features, output)
        cells_rc, counted_r = channels.cells(rows), ~fitting_rows(len(rows))
        counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
        phi_c = np.ones(channels.grid.channels)
        for c, (axis, channel) in enumerate(zip(channels.grid.axes, channels.listed, strict=True)):
            cells_r = cells_rc[counted_r, c] if channel.is_joint else cells_rc[:, c]
            counts_cb[c] = np.bincount(cells_r, minlength=channels.grid.width)
            phi_c[c] = dependence(axis, cells_r) if learns_dependence else 1.0
        return cls(channels, counts_cb, phi_c, allowance or Allowance())

    @property
    def digest(self) -> str:
        """Identity of cells and reference counts: a saved state belongs to one model."""
        digest = hashlib.sha256(self.counts_cb.tobytes())
        for axis in self.channels.grid.axes:
            digest.update(axis.edges.tobytes())
        return digest.hexdigest()[:32]

    @property
    def is_calibrated(self) -> bool:
        """Whether the reference is long enough to learn dependence from: below that, no promise is made."""
        return int(self.counts_cb.sum(axis=1).max(initial=0)) >= LEAST_REFERENCE_ROWS

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Causes that have a channel, in a fixed order."""
        return tuple(dict.fromkeys(channel.cause for channel in self.channels.listed))

    def channel_weights(self) -> Floats:
        """Return each channel's weight within its cause: joint channels share 0.4, the others 0.6. They sum to one."""
        listed = self.channels.listed
        joint_c = np.array([channel.is_joint for channel in listed])
        weights_c = np.zeros(len(listed))
        for cause in self.causes:
            of_cause_c = np.array([channel.cause == cause for channel in listed])
            parts = [(of_cause_c & joint_c, JOINT_WEIGHT), (of_cause_c & ~joint_c, 1.0 - JOINT_WEIGHT)]
            parts = [(part_c, weight) for part_c, weight in parts if part_c.any()]
            total = sum(weight for _, weight in parts)
            for part_c, weight in parts:
                weights_c[part_c] = weight / total / part_c.sum()
        return weights_c
