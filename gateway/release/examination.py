"""What the gates look at: the candidate, the version that serves, the holdout, and what both answer on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.catalog.bundle import Bundle
from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.release.policy import GateRules

__all__ = ["Answers", "CheckImpossible", "Examination", "Feeds", "HoldoutRows", "Progress", "answer_rows", "take_rows"]

Feeds = Mapping[str, npt.NDArray[Any]]
Progress = Callable[[int], None]
"""Told after each batch how many rows are answered so far."""

BATCH_ROWS = 4096


class CheckImpossible(Exception):
    """A gate cannot be judged, and no verdict would be honest; the text says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a version answers, row by row.

    Parameters
    ----------
    codes_n : (n,) int64
        Index of the class, -1 for an answer that is none of the model's classes; all -1 for a regression.
    scores_nk : (n, k) float64
        Probabilities, or the regression's value as one column; no columns for a model that gives labels alone.
    """

    codes_n: npt.NDArray[np.int64]
    scores_nk: npt.NDArray[np.float64]

    @property
    def are_finite(self) -> bool:
        """Whether every score is a finite number."""
        return bool(np.isfinite(self.scores_nk).all())


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HoldoutRows:
    """The labelled rows, in the order of the file.

    Parameters
    ----------
    feeds, feeds_against
        Graph inputs for the candidate and, where there is one, for the serving version.
    truths_n : (n,) int64 or float64
        Index of the true class among the candidate's, or the true value.
    groups
        Text of each row by group column.
    sample_cells
        Raw values of some rows, in the order of the candidate's features, ``None`` for missing.
    sample_at_m : (m,) int64
        Which rows these are.
    """

    feeds: Feeds
    feeds_against: Feeds | None
    truths_n: npt.NDArray[Any]
    groups: Mapping[str, npt.NDArray[np.str_]]
    sample_cells: list[tuple[Any, ...]]
    sample_at_m: npt.NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.truths_n)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Examination:
    """Everything that is known when the gates are asked.

    Parameters
    ----------
    against
        The version that serves; ``None`` for a first release, or where nobody named one.
    is_first
        The model has no version that serves, so that there is nothing to compare with.
    """

    bundle: Bundle
    candidate: ServableVersion
    against: ServableVersion | None
    is_first: bool
    rules: GateRules
    holdout: HoldoutRows
    answers: Answers
    against_answers: Answers | None

    @property
    def is_classification(self) -> bool:
        """Whether the candidate answers with classes."""
        return self.candidate.contract.output_schema.kind == "classification"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the candidate's classes, in the order of their columns."""
        return self.candidate.contract.output_schema.classes

    @property
    def has_probabilities(self) -> bool:
        """Whether the candidate gives a probability for each class."""
        return self.is_classification and self.answers.scores_nk.shape[1] == len(self.classes) > 0


def answer_rows(version: ServableVersion, feeds: Feeds, n: int, progress: Progress = lambda _rows: None) -> Answers:
    """Ask a version for ``n`` rows, in batches that bound the memory.

    Raises
    ------
    gateway.engine.session.RunFailed
        The model fails on a batch; names the rows.
    """
    codes, scores = [], []
    for start, stop in _batches(version, n):
        try:
            outputs = version.run({name: values[start:stop] for name, values in feeds.items()}, stop - start)
        except RunFailed as exc:
            raise RunFailed(f"rows {start + 1} to {stop}: {exc}") from exc
        rows = stop - start
        scores_nk = np.zeros((rows, 0)) if outputs.scores_nk is None else outputs.scores_nk
        codes.append(version.reader.label_codes(outputs, rows).astype(np.int64))
        scores.append(scores_nk.astype(np.float64))
        progress(stop)
    return Answers(np.concatenate(codes), np.concatenate(scores))


def take_rows(feeds: Feeds, at_m: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Return some rows of the graph inputs."""
    return {name: values[at_m] for name, values in feeds.items()}


def _batches(version: ServableVersion, n: int) -> Iterator[tuple[int, int]]:
    size = min(BATCH_ROWS, version.max_batch_rows or 1)
    for start in range(0, n, size):
        yield start, min(start + size, n)
