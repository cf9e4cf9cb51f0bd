"""Streams on which nothing changes, in the many ways in which nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.detection.streams import Stream, digits_streams
from monitors.evidence.rows import TENSOR, Rows
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["Null", "dependent_streams", "nulls"]

BURST_ROWS = 17
DAY_ROWS = 2_000
TOLERANCE = 0.005
CATEGORY_SHARES = (0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.015, 0.005)
CANARY_RATIO = 0.01

Floats = npt.NDArray[np.float64]
Law = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True, slots=True)
class Null:
    """Reference rows and live rows of one law, or of laws that count as unchanged.

    Parameters
    ----------
    name
        What is special.
    features, output
        Schema of the rows.
    reference, live
        Random generator and number of rows to rows.
    summary_rows
        Rows of each summary, cycled: traffic that changes makes summaries of different sizes.
    """

    name: str
    features: tuple[FeatureSchema, ...]
    reference: Callable[[np.random.Generator, int], Rows]
    live: Callable[[np.random.Generator, int], Rows]
    output: OutputSchema = TENSOR
    summary_rows: tuple[int, ...] = (10,)


def nulls() -> Iterator[Null]:
    """Give all families."""
    for d in (1, 5, 30, 100, 500):
        yield _numbers(f"independent, {d} features", d, _normal(d))
    yield _numbers("heavy tails (Student 1.5)", 5, lambda rng, n: rng.standard_t(1.5, size=(n, 5)))
    yield _categories("categories", 5)
    digits = next(digits_streams())
    yield Null("digits and a classifier's answers", digits.features, digits.before, digits.before, digits.output)
    yield _numbers("autocorrelation 0.5", 5, _autocorrelated(5, 0.5))
    yield _numbers("bursty clients, alike", 5, _bursty(5, 0.5))
    yield _numbers("bursty clients, identical rows", 5, _bursty(5, 0.0))
    yield _numbers("clients interleaved, identical rows", 5, _interleaved(5))
    yield _numbers("client's features stay, request's vary", 5, _sessions(3, 2))
    yield _numbers("long clients differ, 10 % sampled", 5, _long_ones_differ(5), _sampled(_long_ones_differ(5), 0.1))
    yield _numbers("daily season", 5, _seasonal(5, 0.5))
    yield _numbers("traffic up and down a hundredfold", 5, _normal(5), summary_rows=(10,) * 20 + (1000,) * 2)
    yield _numbers("shift exactly at the tolerance", 5, _normal(5), _strays(5))
    yield _numbers("canary with 1 % of bursty traffic", 5, _bursty(5, 0.0), _sampled(_bursty(5, 0.0), CANARY_RATIO))


def dependent_streams() -> Iterator[Stream]:
    """Give streams of dependent rows in which the mean of the first of three numbers changes."""
    laws = {
        "autocorrelation 0.5, mean": (_autocorrelated(3, 0.5), 0.5),
        "bursty clients, alike, mean": (_bursty(3, 0.5), 1.0),
        "bursty clients, identical rows, mean": (_bursty(3, 0.0), 1.0),
        "clients interleaved, identical rows, mean": (_interleaved(3), 1.0),
        "client's features stay, mean of one": (_sessions(2, 1), 1.0),
    }
    for name, (law, shift) in laws.items():
        null = _numbers(name, 3, law)

        def after(rng: np.random.Generator, n: int, since_n: Floats, law: Law = law, shift: float = shift) -> Rows:
            return Rows(law(rng, n) + np.array([shift, 0.0, 0.0]))

        yield Stream(name, null.features, null.reference, after)


def _numbers(name: str, d: int, law: Law, live: Law | None = None, summary_rows: tuple[int, ...] = (10,)) -> Null:
    features = tuple(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(d))
    now = live or law
    return Null(
        name, features, lambda rng, n: Rows(law(rng, n)), lambda rng, n: Rows(now(rng, n)), summary_rows=summary_rows
    )


def _categories(name: str, d: int) -> Null:
    known = tuple("abcdefgh")
    features = tuple(FeatureSchema(f"category {i + 1}", "category", "string", known) for i in range(d))

    def law(rng: np.random.Generator, n: int) -> Rows:
        return Rows(rng.choice(len(known), size=(n, d), p=CATEGORY_SHARES).astype(np.float64))

    return Null(name, features, law, law)


def _normal(d: int) -> Law:
    return lambda rng, n: np.asarray(rng.normal(size=(n, d)))


def _autocorrelated(d: int, correlation: float) -> Law:
    def law(rng: np.random.Generator, n: int) -> Floats:
        rows = rng.normal(size=(n, d))
        rows[1:] *= np.sqrt(1 - correlation**2)
        for t in range(1, n):
            rows[t] += correlation * rows[t - 1]
        return rows

    return law


def _bursty(d: int, within: float, mean_rows: float = BURST_ROWS) -> Law:
    """Clients send runs of rows (17 in the mean); ``within`` is the share of variance between rows of a client."""

    def law(rng: np.random.Generator, n: int) -> Floats:
        client_n = np.cumsum(rng.random(n) < 1.0 / mean_rows)
        clients = rng.normal(size=(client_n[-1] + 1, d))
        clients_nd = np.sqrt(1 - within) * clients[client_n]
        return np.asarray(clients_nd + np.sqrt(within) * rng.normal(size=(n, d)))

    return law


def _interleaved(d: int, clients: int = 20) -> Law:
    """Twenty clients at a time send their row again and again, in any order; each leaves after 17 rows in the mean."""

    def law(rng: np.random.Generator, n: int) -> Floats:
        place_n = rng.integers(clients, size=n)
        order = np.argsort(place_n, kind="stable")
        is_new_n = (rng.random(n) < 1.0 / BURST_ROWS) | (np.diff(place_n[order], prepend=-1) > 0)
        client_n = np.empty(n, dtype=np.int64)
        client_n[order] = np.cumsum(is_new_n) - 1
        return np.asarray(rng.normal(size=(client_n.max() + 1, d))[client_n])

    return law


def _sessions(staying: int, varying: int) -> Law:
    """Rows of a client agree in some features; the others are each request's own."""
    client, request = _bursty(staying, 0.0), _normal(varying)
    return lambda rng, n: np.column_stack([client(rng, n), request(rng, n)])


def _long_ones_differ(d: int) -> Law:
    """Clients with positive values send five times as many rows (29 in the mean) as the others."""

    def law(rng: np.random.Generator, n: int) -> Floats:
        clients = rng.normal(size=(n, d))
        lengths = rng.geometric(np.where(clients[:, 0] > 0, 5.0, 25.0) / 5.0 / 29.0)
        ends = np.cumsum(lengths)
        return np.asarray(clients[np.searchsorted(ends, np.arange(n) + rng.integers(29), side="right")])

    return law


def _sampled(whole: Law, ratio: float) -> Law:
    """Keep each row with the same chance."""

    def law(rng: np.random.Generator, n: int) -> Floats:
        kept = np.cumsum(rng.geometric(ratio, size=n))
        return whole(rng, int(kept[-1]))[kept - 1]

    return law


def _seasonal(d: int, size: float) -> Law:
    def law(rng: np.random.Generator, n: int) -> Floats:
        hour_n = 2 * np.pi * (np.arange(n) + rng.integers(DAY_ROWS)) / DAY_ROWS
        return np.asarray(rng.normal(size=(n, d)) + size * np.sin(hour_n)[:, None])

    return law


def _strays(d: int) -> Law:
    """Replace a share of rows as large as the tolerance by rows at three deviations, in every feature."""

    def law(rng: np.random.Generator, n: int) -> Floats:
        rows = rng.normal(size=(n, d))
        strays = rng.random((n, d)) < TOLERANCE
        return np.where(strays, 2.5, rows)

    return law
