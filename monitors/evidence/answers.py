"""What an answer says, as numbers to be counted: the class, how confident, each probability, whether it is broken."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitors.evidence.ranks import ANSWER_SLACK, ClassRanks
from monitors.outputs import confidences, is_distribution
from monitors.records import OutputSchema

__all__ = ["CONFIDENCE_FIGURES", "AnswerChannels"]

CONFIDENCE_FIGURES = 3

MOST_PROBABILITIES = 16

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AnswerChannels:
    """Channels of a version's answers.

    Parameters
    ----------
    output
        What the version answers.
    probabilities
        Columns of the scores that have a channel of their own: all of few, those that vary most of many.
    ranks
        Where top-1, margin and entropy lie among the reference's answers of the same class.
    """

    output: OutputSchema
    probabilities: tuple[int, ...] = ()
    ranks: ClassRanks | None = None
    _chosen: tuple[int, ...] | slice = field(init=False, repr=False)

    def __post_init__(self) -> None:
        is_every = self.probabilities == tuple(range(len(self.output.classes)))
        object.__setattr__(self, "_chosen", slice(None) if is_every else self.probabilities)

    @classmethod
    def fit(cls, output: OutputSchema, scores_rk: Floats, labels_r: npt.NDArray[np.integer]) -> AnswerChannels:
        """Choose the probabilities that have a channel of their own, and learn the confidence of each class."""
        if output.kind != "classification" or not scores_rk.shape[1]:
            return cls(output)
        spread_k = np.nanvar(np.where(np.isfinite(scores_rk), scores_rk, np.nan), axis=0)
        largest = np.sort(np.argsort(-spread_k, kind="stable")[:MOST_PROBABILITIES])
        redundant = 1 if scores_rk.shape[1] == 2 else 0
        ranks = ClassRanks.fit(_confidence(scores_rk, is_distribution(scores_rk)), labels_r, scores_rk.shape[1])
        return cls(output, tuple(int(k) for k in largest[redundant:]), ranks)

    def slack(self, scores_rk: Floats) -> float:
        """Return how far two answers to the same row may be apart: in proportion to the largest of the reference."""
        if self.output.kind != "regression":
            return ANSWER_SLACK
        return ANSWER_SLACK * float(np.abs(scores_rk[np.isfinite(scores_rk)]).max(initial=0.0))

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the channels that are numbers."""
        if self.output.kind == "regression":
            return ("value",)
        if self.ranks is None:
            return ()
        shares = tuple(f"probability of {self.output.classes[k]}" for k in self.probabilities)
        return ("top-1", "margin", "entropy", *shares)

    @property
    def columns(self) -> int | None:
        """Number of score columns that rows must have; ``None`` where scores are not looked at."""
        if self.output.kind == "tensor":
            return None
        return 1 if self.output.kind == "regression" else len(self.output.classes) * bool(self.probabilities)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the channels that are codes."""
        return {"classification": ("class", "broken"), "regression": ("broken",), "tensor": ()}[self.output.kind]

    def values(self, scores_nk: Floats, labels_n: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
        """Return the numbers of each row, NaN where the answer is broken, and its codes: (n, c) float64 each."""
        if self.output.kind == "tensor":
            nothing = np.empty((len(labels_n), 0))
            return nothing, nothing
        if self.output.kind == "regression":
            return scores_nk, (~np.isfinite(scores_nk[:, :1])).astype(np.float64)
        sound_n = is_distribution(scores_nk) if scores_nk.shape[1] else np.ones(len(labels_n), dtype=np.bool_)
        codes_nc = np.empty((len(labels_n), 2))
        codes_nc[:, 0], codes_nc[:, 1] = labels_n, ~sound_n
        if self.ranks is None:
            return np.empty((len(scores_nk), 0)), codes_nc
        numbers_nc = np.empty((len(scores_nk), CONFIDENCE_FIGURES + len(self.probabilities)))
        figures_nm = _confidence(scores_nk, sound_n)
        numbers_nc[:, :CONFIDENCE_FIGURES] = self.ranks.of(figures_nm, labels_n)
        numbers_nc[:, CONFIDENCE_FIGURES:] = scores_nk[:, self._chosen]
        if not sound_n.all():
            numbers_nc[~sound_n, CONFIDENCE_FIGURES:] = np.nan
        return numbers_nc, codes_nc


def _confidence(scores_nk: Floats, sound_n: npt.NDArray[np.bool_]) -> Floats:
    """Return top-1, margin and entropy of each row: (n, 3), NaN where the answer is broken."""
    is_sound = bool(sound_n.all())
    found = confidences(scores_nk if is_sound else np.where(sound_n[:, None], scores_nk, 1.0 / scores_nk.shape[1]))
    figures_nm = np.empty((len(scores_nk), CONFIDENCE_FIGURES))
    figures_nm[:, 0], figures_nm[:, 1], figures_nm[:, 2] = found.top1_n, found.margin_n, found.entropy_n
    if not is_sound:
        figures_nm[~sound_n] = np.nan
    return figures_nm
