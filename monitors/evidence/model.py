"""The fitted part of the evidence: what a version carries with it. Fixed after the fit; holds counts, no row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitors.evidence.channel import Cause
from monitors.evidence.channels import Channels
from monitors.evidence.dependence import dependence
from monitors.evidence.joint import fitting_rows
from monitors.evidence.repeats import RowMemory, agreement, find_repeats
from monitors.evidence.rows import TENSOR, Rows
from monitors.evidence.table import Allowance, Table, build_table
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["LEAST_REFERENCE_ROWS", "EvidenceModel"]

JOINT_WEIGHT, HEAPING_WEIGHT, SEGMENTS_WEIGHT = 0.4, 0.1, 0.2
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
    doubt_c : (c,) float64
        How many times the doubt about the reference each channel allows for; once where left out. Not part of the
        document of a model: only replays ask for more.
    """

    channels: Channels
    counts_cb: Ints
    phi_c: Floats
    allowance: Allowance
    every_row_cb: Ints | None = None
    doubt_c: Floats | None = None
    table: Table = field(init=False)

    def __post_init__(self) -> None:
        counts = self.counts_cb, self.phi_c, self.allowance, self.every_row_cb, self.doubt_c
        table = build_table(self.channels.grid, *counts)
        object.__setattr__(self, "table", table)

    @classmethod
    def fit(
        cls,
        rows: Rows,
        features: Sequence[FeatureSchema],
        output: OutputSchema = TENSOR,
        *,
        segment: str | None = None,
        allowance: Allowance | None = None,
        learns_dependence: bool = True,
    ) -> EvidenceModel:
        """Fit on reference rows, in the order in which they came.

        With the name of a feature, its most frequent values are segments: what moves within one of them alone is
        evidence, too, where it has 1,000 rows.
        """
        channels, counted_r = Channels.fit(rows, features, output, segment=segment), ~fitting_rows(len(rows))
        allowance, segment_r = allowance or Allowance(), channels.segments(rows)
        every_rc = channels.cells(rows, RowMemory())
        every_cb, phi_c = _counted(channels, every_rc, counted_r, segment_r, learns_dependence)
        repeats = find_repeats(rows.values_nd) if learns_dependence else None
        if repeats is None:
            return cls(channels, every_cb, phi_c, allowance)
        every_cb = np.pad(every_cb, ((0, 0), (0, 1)))
        own = len(channels.axes)
        first = channels.counting_once(repeats, np.ones(own, dtype=np.bool_))
        first_rc = first.cells(rows, RowMemory())
        first_cb, first_phi_c = _counted(first, first_rc, counted_r, segment_r, learns_dependence)
        tells_more_c = first_cb[:, :-1].sum(axis=1) / first_phi_c > every_cb.sum(axis=1) / phi_c
        agrees_c = agreement(rows.values_nd, every_rc, repeats) >= AGREES
        of_whole_c = (phi_c[:own] > 1.0) & (agrees_c | tells_more_c[:own])
        if not of_whole_c.any():
            return cls(channels, every_cb[:, :-1], phi_c, allowance)
        once_c = of_whole_c[channels.whole_c]
        return cls(
            channels.counting_once(repeats, of_whole_c),
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

        Segments have a fifth. Of what is of all rows, heaping has a tenth; of the rest joint channels share 0.4, the
        others 0.6.
        """
        listed = self.channels.listed
        joint_c = np.array([channel.is_joint for channel in listed])
        heaping_c = np.array([channel.is_heaping for channel in listed])
        single_c = np.array([channel.is_single for channel in listed])
        in_segment_c = np.array([channel.segment is not None for channel in listed])
        rest = 1.0 - HEAPING_WEIGHT
        weights_c = np.zeros(len(listed))
        for cause in self.causes:
            of_cause_c = np.array([channel.cause == cause for channel in listed])
            parts = [
                (of_cause_c & single_c, rest * (1.0 - JOINT_WEIGHT)),
                (of_cause_c & joint_c, rest * JOINT_WEIGHT),
                (of_cause_c & heaping_c, HEAPING_WEIGHT),
            ]
            parts = [(part_c, weight) for part_c, weight in parts if part_c.any()]
            total = sum(weight for _, weight in parts)
            for part_c, weight in parts:
                weights_c[part_c] = weight / total / part_c.sum()
            if (copies_c := of_cause_c & in_segment_c).any():
                weights_c[of_cause_c] *= 1.0 - SEGMENTS_WEIGHT
                weights_c[copies_c] = SEGMENTS_WEIGHT / copies_c.sum()
        return weights_c


def _counted(
    channels: Channels, cells_rc: Ints, counted_r: npt.NDArray[np.bool_], segment_r: Ints, learns: bool
) -> tuple[Ints, Floats]:
    """Return reference counts (c, b) and dependence (c,); rows in the spare cell count, but have no say in either.

    A segment's rows depend on each other at least as all rows do.
    """
    counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
    phi_c = np.ones(channels.grid.channels)
    for c, (axis, channel) in enumerate(zip(channels.grid.axes, channels.listed, strict=True)):
        whole = int(channels.whole_c[c])
        cells_r = cells_rc[:, whole] if channel.segment is None else cells_rc[segment_r == channel.segment, whole]
        cells_r = cells_r[counted_r] if channel.is_joint else cells_r
        counts_cb[c] = np.bincount(cells_r, minlength=channels.grid.width)
        phi_c[c] = max(phi_c[whole], dependence(axis, cells_r[cells_r < axis.size])) if learns else 1.0
    return counts_cb, phi_c
