"""Calibration: how many false pages a baseline predicts, and how much the threshold rises until the promise holds.

The baseline is cut into parts. A model is fitted on all parts but one, and the part left out, drawn anew in runs by the
stationary bootstrap, is replayed through it: replayed against a model that was fitted on it, a baseline looks calmer
than traffic to come. Each replica draws from a resample of its own, so that replicas differ as much as baselines do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.bootstrap import StationaryBootstrap
from monitors.evidence.budget import Budget
from monitors.evidence.channel import Channel
from monitors.evidence.likeness import difference
from monitors.evidence.model import LEAST_REFERENCE_ROWS, EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.replicas import Replicas
from monitors.evidence.rows import TENSOR, Rows
from monitors.evidence.ticks import TickCutter, Ticks, counts_between
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["Calibrated", "Effort", "calibrate"]

LEAST_RUNS = 20
LEAST_RUN_ROWS = 100.0
RUNS_OF_CLIENTS = 10.0
MOST_FACTOR = 1_000.0
LEAST_RAISE, MOST_RAISE = 1.5, 10.0
LEAST_STEPS, LOOK_EVERY = 1_000, 100
NORMAL_95 = 1.645
DRAWS, ALIKE_CHANCE, LEAST_TOLD = 2.0, 0.01, 1_000.0
LONGER_TIMES = 2
LONGER = ": take a longer table, or more of the prediction log"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is replayed.

    Parameters
    ----------
    folds
        Parts of the baseline.
    replicas
        Replays side by side, of all parts together.
    spans
        Replayed time, in times of one allowed page: with 3.2, no page at all bounds the rate by 0.94 of the promise.
        At least 1,000 summaries a replica.
    seed
        Of the draws.
    """

    folds: int = 4
    replicas: int = 64
    spans: float = 3.2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What replays say of a baseline.

    Parameters
    ----------
    level
        ``uncalibrated``: the baseline is too short, or no threshold holds the promise; ``why`` says which.
    factor
        By how much thresholds rise; ``budget`` has it.
    predicted, upper
        False pages in the time of one allowed page, and the upper end of a one-sided 95 % interval.
    summaries
        Replayed in all, at the last threshold.
    budget
        What a monitor that was fitted on the whole baseline is to be given.
    """

    level: Literal["baseline", "uncalibrated"]
    factor: float
    predicted: float
    upper: float
    summaries: int
    budget: Budget
    why: str = ""

    @property
    def pages_per_week(self) -> tuple[float, float] | None:
        """False pages a week, predicted and at most; ``None`` for a budget in rows."""
        if self.budget.rows_between_false_pages is not None:
            return None
        return self.predicted * self.budget.pages_per_week, self.upper * self.budget.pages_per_week


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """A part of the baseline as summaries, and the model of the other parts.

    Parameters
    ----------
    apart
        Channels in which the part differs by more than chance explains, and how many times as much.
    times
        How many times as many rows it takes to tell; at most 1 where they are enough.
    """

    model: EvidenceModel
    counts_scb: Ints
    apart: tuple[tuple[Channel, float], ...]
    times: float


def calibrate(
    rows: Rows,
    features: Sequence[FeatureSchema],
    output: OutputSchema = TENSOR,
    *,
    budget: Budget,
    segment: str | None = None,
    ticks: Ticks | None = None,
    times_s: npt.ArrayLike | None = None,
    effort: Effort | None = None,
) -> Calibrated:
    """Replay a baseline against itself, crosswise, and raise the threshold until the promise holds.

    Parameters
    ----------
    rows
        Accepted normal rows, in the order in which they came; at least 6,667.
    features, output, segment
        As for ``EvidenceModel.fit``.
    budget
        What is allowed. Replayed is its rate in the mean (``promise`` and ``share`` only make thresholds stricter).
    ticks
        Summaries; ten rows if nothing is said.
    times_s : (n,)
        Needed where ticks have a length.
    effort
        How much is replayed.

    Notes
    -----
    Cost at one page a week: two million summaries, 30 s at 5 features and two minutes at 30; proportional to the time
    between pages. Memory: the counts of one summary for each of the baseline.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = calibrate(Rows(rng.normal(size=(8000, 1))), [FeatureSchema("x", "number", "float64")],
    ...                   budget=Budget(rows_between_false_pages=2000))
    >>> found.level, found.factor, found.upper < 1
    ('baseline', 1.0, True)
    """
    effort, ticks = effort or Effort(), ticks or Ticks()
    ends = _ends(len(rows), ticks, times_s)
    least = math.ceil(LEAST_REFERENCE_ROWS * effort.folds / (effort.folds - 1))
    if len(rows) < least:
        return _refused(budget, f"{len(rows):,} rows; {least:,} are needed to fit on some and replay others{LONGER}")
    if len(ends) < effort.folds:
        lengths = "" if ticks.seconds is None else f" of {ticks.seconds:g} s or more"
        found = f"{len(rows):,} rows in {len(ends)} summaries{lengths}"
        return _refused(budget, f"{found}; {effort.folds} are needed{LONGER}")
    folds = list(_folds(rows, ends, features, output, segment, effort.folds))
    run = _mean_run(folds, len(rows) / len(ends))
    if len(ends) < LEAST_RUNS * run:
        needed = math.ceil(len(rows) * LEAST_RUNS * run / len(ends))
        found = f"{len(rows):,} rows hold fewer than {LEAST_RUNS} runs of {run * len(rows) / len(ends):,.0f} alike"
        return _refused(budget, f"{found}; about {needed:,} rows are needed{LONGER}")
    return _raise(folds, run, budget, effort, len(rows))


def _raise(folds: Sequence[_Fold], run: float, budget: Budget, effort: Effort, rows: int) -> Calibrated:
    """Replay at rising thresholds until the upper bound is within the promise."""
    factor = 1.0
    while True:
        pages_r, summaries = _replay(folds, run, replace(budget, share=1.0 / factor, promise="mean"), effort)
        allowed = summaries / replace(budget, promise="mean").summaries_between_pages
        predicted, upper = float(pages_r.sum()) / allowed, _upper(pages_r) / allowed
        if upper <= 1.0:
            raised = replace(budget, share=budget.share / factor)
            return Calibrated("baseline", factor, predicted, upper, summaries, raised)
        factor *= min(MOST_RAISE, max(LEAST_RAISE, upper))
        if factor > MOST_FACTOR:
            return Calibrated("uncalibrated", 1.0, predicted, upper, summaries, budget, _why(folds, rows))


def _why(folds: Sequence[_Fold], rows: int) -> str:
    """Say why no threshold holds the promise, and what to do."""
    apart = [
        (channel.is_single, times, place, channel)
        for place, fold in enumerate(folds, 1)
        for channel, times in fold.apart
    ]
    if apart:
        found = "parts of the baseline differ by more than what counts as unchanged, whatever the threshold"
        _, _, place, channel = max(apart, key=lambda each: each[:2])
        told = f"part {place} of {len(folds)}: {channel.name}"
        return f"{found} ({told}): take rows of steady traffic, or a longer time of it"
    times = max(fold.times for fold in folds)
    if times > 1.0:
        found = f"{rows:,} rows depend on each other too much to tell change from chance"
        return f"{found}; about {math.ceil(times * rows):,} rows are needed{LONGER}"
    found = f"{rows:,} rows are too few to tell change from chance, though no part differs"
    return f"{found}; about {LONGER_TIMES * rows:,} rows are needed{LONGER}"


def _replay(folds: Sequence[_Fold], run: float, budget: Budget, effort: Effort) -> tuple[Ints, int]:
    """Return the pages of each replica and the number of summaries; ends early where there are more than enough."""
    own = max(1, effort.replicas // len(folds))
    most = effort.spans * budget.summaries_between_pages
    steps = max(LEAST_STEPS, math.ceil(most / (own * len(folds))))
    allowed = steps * own * len(folds) / budget.summaries_between_pages
    pages_fr = np.zeros((len(folds), own), dtype=np.int64)
    streams = [
        (
            Replicas(fold.model, budget, own),
            StationaryBootstrap(
                len(fold.counts_scb),
                mean_run=run,
                replicas=own,
                resampled=True,
                rng=np.random.default_rng([effort.seed, f]),
            ),
        )
        for f, fold in enumerate(folds)
    ]
    for step in range(steps):
        for f, (replicas, bootstrap) in enumerate(streams):
            pages_fr[f] += replicas.step(folds[f].counts_scb[bootstrap.draw()])
        if step % LOOK_EVERY == 0 and _upper(pages_fr.ravel()) > allowed:
            return pages_fr.ravel(), (step + 1) * pages_fr.size
    return pages_fr.ravel(), steps * pages_fr.size


def _upper(pages_r: Ints) -> float:
    """Return the upper end of a one-sided 95 % interval of the pages of all replicas.

    Poisson by Wilson and Hilferty; where replicas differ by more than that, their variance widens it.
    """
    pages = float(pages_r.sum())
    excess = max(1.0, float(pages_r.var(ddof=1)) * len(pages_r) / pages) if pages and len(pages_r) > 1 else 1.0
    degrees = pages / excess + 1.0
    return excess * degrees * (1.0 - 1.0 / (9.0 * degrees) + NORMAL_95 / (3.0 * math.sqrt(degrees))) ** 3


def _folds(
    rows: Rows,
    ends: Sequence[int],
    features: Sequence[FeatureSchema],
    output: OutputSchema,
    segment: str | None,
    folds: int,
) -> Iterator[_Fold]:
    cuts = [0, *(ends[len(ends) * f // folds - 1] for f in range(1, folds)), ends[-1]]
    for begin, end in pairwise(cuts):
        model = EvidenceModel.fit(_without(rows, begin, end), features, output, segment=segment)
        inner = [stop - begin for stop in ends if begin < stop <= end]
        counts_scb = counts_between(model.channels, rows.part(begin, end), inner, RowMemory())[:-1]
        yield _fold(model, counts_scb, ALIKE_CHANCE / folds)


def _fold(model: EvidenceModel, counts_scb: Ints, chance: float) -> _Fold:
    """Return a part with the model of the others, which doubts as much as what is replayed differs by chance.

    A law that R rows tell differs from the true one by 1 / R, in variance, and so from that of traffic to come. The
    part has a law of its own, of r rows, and a replica's resample another one: what is replayed differs by
    1 / R + 2 / r where nothing changes. That is no excuse where the part differs by more than chance explains, or where
    the others are worth too few independent rows: how much is chance is not well known then.
    """
    part_cb, listed = counts_scb.sum(axis=0), model.channels.listed
    doubt_c, times_c, apart = np.ones(len(listed)), np.ones(len(listed)), []
    for c, (axis, phi) in enumerate(zip(model.channels.grid.axes, model.phi_c.tolist(), strict=True)):
        part_b, rest_b = part_cb[c, : axis.size], model.counts_cb[c, : axis.size]
        times_c[c] = LEAST_TOLD * phi / max(1, rest_b.sum())
        if (times := difference(part_b, rest_b, phi, chance / len(listed))) > 1.0:
            apart.append((listed[c], times))
        elif times_c[c] <= 1.0:
            doubt_c[c] += DRAWS * rest_b.sum() / max(1, part_b.sum())
    return _Fold(replace(model, doubt_c=doubt_c), counts_scb, tuple(apart), float(times_c.max(initial=0.0)))


def _without(rows: Rows, begin: int, end: int) -> Rows:
    """Return the rows before and after a part."""
    scores_nk, labels_n = rows.scores_nk, rows.labels_n
    return Rows(
        np.delete(rows.values_nd, slice(begin, end), axis=0),
        None if scores_nk is None else np.delete(scores_nk, slice(begin, end), axis=0),
        None if labels_n is None else np.delete(labels_n, slice(begin, end)),
    )


def _mean_run(folds: Sequence[_Fold], summary_rows: float) -> float:
    """Return the mean length of runs in summaries: ten times that of runs of alike rows, as far as models know them."""
    phi = max(float(fold.model.phi_c.max(initial=1.0)) for fold in folds)
    return max(1.0, max(LEAST_RUN_ROWS, RUNS_OF_CLIENTS * (phi + 1.0) / 2.0) / summary_rows)


def _ends(n: int, ticks: Ticks, times_s: npt.ArrayLike | None) -> list[int]:
    """Return where the summaries of the baseline end."""
    times_n = None if times_s is None else np.asarray(times_s, dtype=np.float64)
    return [end for end in TickCutter(ticks).ends(n, times_n) if end > 0]


def _refused(budget: Budget, why: str) -> Calibrated:
    return Calibrated("uncalibrated", 1.0, math.nan, math.nan, 0, budget, why)
