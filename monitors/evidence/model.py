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
from monitors.evidence.repeats import RowMemory, agreement, find_repeats
from monitors.evidence.table import Allowance, Table, build_table
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["LEAST_REFERENCE_ROWS", "EvidenceModel"]

JOINT_WEIGHT, HEAPING_WEIGHT = 0.4, 0.1
LEAST_REFERENCE_ROWS = 5_000
AGREES = 0.99

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
    every_row_cb : (c, b) int64
        Reference counts with every repeated row; left out where nothing repeats. A sample of a stream repeats less than
        the whole of it, so bets are fair under this law, too.
    """

    channels: Channels
    counts_cb: Ints
    phi_c: Floats
    allowance: Allowance
    every_row_cb: Ints | None = None
    table: Table = field(init=False)

    def __post_init__(self) -> None:
        table = build_table(self.channels.grid, self.counts_cb, self.phi_c, self.allowance, self.every_row_cb)
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
        channels, counted_r = Channels.fit(rows, features, output), ~fitting_rows(len(rows))
        allowance = allowance or Allowance()
        every_rc = channels.cells(rows, RowMemory())
        every_cb, phi_c = _counted(channels, every_rc, counted_r, learns_dependence)
        repeats = find_repeats(rows.values_nd) if learns_dependence else None
        if repeats is None:
            return cls(channels, every_cb, phi_c, allowance)
        every_cb = np.pad(every_cb, ((0, 0), (0, 1)))
        first = channels.counting_once(repeats, np.ones(channels.grid.channels, dtype=np.bool_))
        first_rc = first.cells(rows, RowMemory())
        first_cb, first_phi_c = _counted(first, first_rc, counted_r, learns_dependence)
        tells_more_c = first_cb[:, :-1].sum(axis=1) / first_phi_c > every_cb.sum(axis=1) / phi_c
        agrees_c = agreement(rows.values_nd, every_rc, repeats) >= AGREES
        once_c = (phi_c > 1.0) & (agrees_c | tells_more_c)
        if not once_c.any():
            return cls(channels, every_cb[:, :-1], phi_c, allowance)
        return cls(
            channels.counting_once(repeats, once_c),
            np.where(once_c[:, None], first_cb, every_cb),
            np.where(once_c, first_phi_c, phi_c),
            allowance,
            every_cb,
        )

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
        """Return each channel's weight within its cause; they sum to one.

        Heaping has a tenth; of the rest joint channels share 0.4, the others 0.6.
        """
        listed = self.channels.listed
        joint_c = np.array([channel.is_joint for channel in listed])
        heaping_c = np.array([channel.is_heaping for channel in listed])
        single, rest = ~(joint_c | heaping_c), 1.0 - HEAPING_WEIGHT
        weights_c = np.zeros(len(listed))
        for cause in self.causes:
            of_cause_c = np.array([channel.cause == cause for channel in listed])
            parts = [
                (of_cause_c & single, rest * (1.0 - JOINT_WEIGHT)),
                (of_cause_c & joint_c, rest * JOINT_WEIGHT),
                (of_cause_c & heaping_c, HEAPING_WEIGHT),
            ]
            parts = [(part_c, weight) for part_c, weight in parts if part_c.any()]
            total = sum(weight for _, weight in parts)
            for part_c, weight in parts:
                weights_c[part_c] = weight / total / part_c.sum()
        return weights_c


def _counted(channels: Channels, cells_rc: Ints, counted_r: npt.NDArray[np.bool_], learns: bool) -> tuple[Ints, Floats]:
    """Return reference counts (c, b) and dependence (c,); rows in the spare cell count, but have no say in either."""
    counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
    phi_c = np.ones(channels.grid.channels)
    for c, (axis, channel) in enumerate(zip(channels.grid.axes, channels.listed, strict=True)):
        cells_r = cells_rc[counted_r, c] if channel.is_joint else cells_rc[:, c]
        counts_cb[c] = np.bincount(cells_r, minlength=channels.grid.width)
        phi_c[c] = dependence(axis, cells_r[cells_r < axis.size]) if learns else 1.0
    return counts_cb, phi_c
