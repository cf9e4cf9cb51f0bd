"""The data of the demonstration: River's bundled Phishing pages, split once and resampled for traffic without end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from river import datasets

__all__ = ["CLASSES", "Row", "Table", "load_phishing", "resample", "sample_instances", "split"]

Row = dict[str, float]

CLASSES = ("legitimate", "phishing")
"""In the order of a graph's probability columns: scikit-learn sorts class labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Named features and labels.

    Parameters
    ----------
    features
        Names, in the order of the columns.
    values_nd : (n, d) float64
        0, 0.5 or 1 each: what a check of the page has found.
    labels_n : (n,) of str
        One of ``CLASSES`` each.
    """

    features: tuple[str, ...]
    values_nd: npt.NDArray[np.float64]
    labels_n: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels_n)

    def take(self, indices: npt.NDArray[np.intp]) -> Table:
        """Return the rows at ``indices``."""
        return Table(self.features, self.values_nd[indices], self.labels_n[indices])

    def instances(self) -> list[Row]:
        """Return the rows as a client sends them."""
        return [dict(zip(self.features, row, strict=True)) for row in self.values_nd.tolist()]


def load_phishing() -> Table:
    """Read the 1,250 pages with nine features each that come with River.

    References
    ----------
    N. Abdelhamid, A. Ayesh, F. Thabtah. Phishing detection based Associative Classification data mining. Expert Systems
    with Applications 41(13), 2014. UCI Machine Learning Repository, "Website Phishing".
    """
    pages = [(dict(page), bool(is_phishing)) for page, is_phishing in datasets.Phishing()]
    names = tuple(pages[0][0])
    values_nd = np.array([[float(page[name]) for name in names] for page, _ in pages], np.float64)
    return Table(names, values_nd, np.array([CLASSES[is_phishing] for _, is_phishing in pages]))


def split(table: Table, *, holdout: float = 0.28, seed: int = 7) -> tuple[Table, Table]:
    """Return rows to train on and rows to evaluate on; the same for the same seed."""
    shuffled_n = np.random.default_rng(seed).permutation(len(table))
    n_holdout = round(len(table) * holdout)
    return table.take(shuffled_n[n_holdout:]), table.take(shuffled_n[:n_holdout])


def resample(table: Table, rows: int, *, seed: int = 13) -> Table:
    """Return rows drawn with replacement: what a log of the demonstration's own traffic would hold."""
    return table.take(np.random.default_rng(seed).integers(len(table), size=rows))


def sample_instances(instances: Sequence[Row], *, most: int = 4, seed: int = 11) -> Iterator[list[Row]]:
    """Yield requests of one to ``most`` real rows for ever, drawn with replacement."""
    generator = np.random.default_rng(seed)
    while True:
        chosen = generator.integers(len(instances), size=generator.integers(1, most + 1))
        yield [instances[index] for index in chosen]
