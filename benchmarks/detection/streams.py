"""Streams with a known change: rows as they were, rows as they are from the change on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from river.datasets import synth
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from monitors.evidence.rows import TENSOR, Rows
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["Stream", "digits_streams", "river_streams", "synthetic_streams"]

Floats = npt.NDArray[np.float64]
Change = Callable[[np.random.Generator, Floats, Floats], Floats]

SHARES = (0.5, 0.28, 0.12, 0.1)
CATEGORY = 5
RAMP_ROWS = 2000
POOL_ROWS = 30_000


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows before and after a change.

    Parameters
    ----------
    name
        What changes, and where.
    features, output
        Schema of the rows.
    before
        Random generator and number of rows to rows.
    after
        The same for rows after the change; the last argument is how many rows ago the change was, for each row.
    """

    name: str
    features: tuple[FeatureSchema, ...]
    before: Callable[[np.random.Generator, int], Rows]
    after: Callable[[np.random.Generator, int, Floats], Rows]
    output: OutputSchema = TENSOR


def synthetic_streams() -> Iterator[Stream]:
    """Give one stream for each kind of change, on five numbers (two of them correlated at 0.7) and one category."""
    features = (
        *(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(5)),
        FeatureSchema("category", "category", "string", ("a", "b", "c", "d", "e")),
    )
    for name, change in _CHANGES.items():

        def after(rng: np.random.Generator, n: int, since_n: Floats, change: Change = change) -> Rows:
            return Rows(change(rng, _ordinary(rng, n), since_n))

        yield Stream(name, features, lambda rng, n: Rows(_ordinary(rng, n)), after)
    one = (FeatureSchema("number", "number", "float64"),)
    yield Stream(
        "small mean, one dimension",
        one,
        lambda rng, n: Rows(rng.normal(size=(n, 1))),
        lambda rng, n, since_n: Rows(rng.normal(0.3, 1.0, size=(n, 1))),
    )


def river_streams() -> Iterator[Stream]:
    """Give streams of river's generators: the share of the classes, or the concept behind the rows, changes."""
    waveform, classes = _pool(synth.Waveform(seed=1))
    numbers = tuple(FeatureSchema(f"x{i}", "number", "float64") for i in range(waveform.shape[1]))
    yield _prior("waveform, class prior", numbers, waveform, classes, favoured=0, share=0.6)
    clusters, _ = _pool(synth.RandomRBF(seed_model=1, seed_sample=2, n_features=8, n_centroids=20))
    moved, _ = _pool(
        synth.RandomRBFDrift(
            seed_model=1, seed_sample=3, n_features=8, n_centroids=20, n_drift_centroids=20, change_speed=1e-4
        )
    )
    few = tuple(FeatureSchema(f"x{i}", "number", "float64") for i in range(clusters.shape[1]))
    yield Stream(
        "moving clusters",
        few,
        lambda rng, n: Rows(clusters[rng.integers(len(clusters), size=n)]),
        lambda rng, n, since_n: Rows(moved[rng.integers(len(moved) // 2, len(moved), size=n)]),
    )


def digits_streams() -> Iterator[Stream]:
    """Give streams of handwritten digits and a classifier's answers: class prior, a stuck pixel, noise."""
    images, labels = load_digits(return_X_y=True)
    held, classes = images[900:], labels[900:]
    features = tuple(FeatureSchema(f"pixel {i}", "number", "float64") for i in range(64))
    output = OutputSchema("classification", tuple(str(k) for k in range(10)))

    def answered(values_nd: Floats) -> Rows:
        return Rows(values_nd, _digits_classifier().predict_proba(values_nd / 16.0))

    def before(rng: np.random.Generator, n: int) -> Rows:
        return answered(held[rng.integers(len(held), size=n)])

    def prior(rng: np.random.Generator, n: int, since_n: Floats) -> Rows:
        return answered(held[_weighted(rng, classes, 3, 0.35, n)])

    def stuck(rng: np.random.Generator, n: int, since_n: Floats) -> Rows:
        values_nd = held[rng.integers(len(held), size=n)].copy()
        values_nd[:, 28] = 8.0
        return answered(values_nd)

    def noisy(rng: np.random.Generator, n: int, since_n: Floats) -> Rows:
        values_nd = held[rng.integers(len(held), size=n)]
        return answered(np.clip(np.rint(values_nd + rng.normal(0.0, 1.5, size=values_nd.shape)), 0, 16))

    for name, after in (("class prior", prior), ("stuck pixel", stuck), ("noise", noisy)):
        yield Stream(f"digits, {name}", features, before, after, output)


@cache
def _digits_classifier() -> LogisticRegression:
    """Train at the first answer: whoever only lists the streams has no use for it."""
    images, labels = load_digits(return_X_y=True)
    return LogisticRegression(max_iter=300).fit(images[:900] / 16.0, labels[:900])


def _ordinary(rng: np.random.Generator, n: int) -> Floats:
    numbers = rng.normal(size=(n, 5))
    numbers[:, 4] = 0.7 * numbers[:, 3] + np.sqrt(1 - 0.49) * numbers[:, 4]
    numbers[:, 1] = np.exp(0.5 * numbers[:, 1])
    return np.column_stack([numbers, rng.choice(4, size=n, p=SHARES)])


def _weighted(
    rng: np.random.Generator, classes_r: npt.NDArray[np.int64], favoured: int, share: float, n: int
) -> Floats:
    """Return row numbers among which one class has the given share, the others what they had."""
    is_favoured = classes_r == favoured
    chances = np.where(is_favoured, share / is_favoured.sum(), (1 - share) / (~is_favoured).sum())
    return np.asarray(rng.choice(len(classes_r), size=n, p=chances))


def _prior(
    name: str,
    features: tuple[FeatureSchema, ...],
    pool_rd: Floats,
    classes_r: npt.NDArray[np.int64],
    *,
    favoured: int,
    share: float,
) -> Stream:
    return Stream(
        name,
        features,
        lambda rng, n: Rows(pool_rd[rng.integers(len(pool_rd), size=n)]),
        lambda rng, n, since_n: Rows(pool_rd[_weighted(rng, classes_r, favoured, share, n)]),
    )


def _pool(source: synth.Waveform | synth.RandomRBF) -> tuple[Floats, npt.NDArray[np.int64]]:
    rows = [(list(x.values()), int(y)) for x, y in source.take(POOL_ROWS)]
    return np.array([x for x, _ in rows], dtype=np.float64), np.array([y for _, y in rows])


def _column(d: int, change: Callable[[np.random.Generator, Floats, Floats], Floats]) -> Change:
    def changed(rng: np.random.Generator, values_nd: Floats, since_n: Floats) -> Floats:
        values_nd[:, d] = change(rng, values_nd[:, d], since_n)
        return values_nd

    return changed


def _replaced(d: int, share: float, value: float) -> Change:
    return _column(d, lambda rng, x_n, since_n: np.where(rng.random(len(x_n)) < share, value, x_n))


def _flip(rng: np.random.Generator, values_nd: Floats, since_n: Floats) -> Floats:
    values_nd[:, 4] -= 1.4 * values_nd[:, 3]
    return values_nd


_CHANGES: dict[str, Change] = {
    "mean": _column(0, lambda rng, x_n, since_n: x_n + 0.5),
    "spread": _column(0, lambda rng, x_n, since_n: 1.5 * x_n),
    "tail": _column(0, lambda rng, x_n, since_n: np.where(rng.random(len(x_n)) < 0.15, 3.0 * x_n, x_n)),
    "mixture": _column(0, lambda rng, x_n, since_n: 0.8 * np.sign(x_n) + 0.6 * rng.normal(size=len(x_n))),
    "category swap": _column(CATEGORY, lambda rng, x_n, since_n: np.array([0.0, 2.0, 1.0, 3.0])[x_n.astype(int)]),
    "unseen category": _replaced(CATEGORY, 0.05, 4.0),
    "2 % missing": _replaced(0, 0.02, np.nan),
    "10 % missing": _replaced(0, 0.10, np.nan),
    "frozen": _column(0, lambda rng, x_n, since_n: np.full(len(x_n), 0.3)),
    "unit change": _column(1, lambda rng, x_n, since_n: 2.2 * x_n),
    "correlation flip": _flip,
    "gradual": _column(0, lambda rng, x_n, since_n: x_n + np.minimum(since_n / RAMP_ROWS, 1.0)),
}
