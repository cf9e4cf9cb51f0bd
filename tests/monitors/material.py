"""Material of the monitors' tests: a version with a reference, its rows, a clock pumped by hand, a store in memory."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.records import Alert, FeatureSchema, Observation, OutputSchema, StreamInfo, StreamKey, Variant
from monitors.reference import ReferenceProfile, build_profile

FEATURES = (
    FeatureSchema("https", "number", "float32"),
    FeatureSchema("age", "number", "float64"),
    FeatureSchema("colour", "category", "string", ("red", "green", "blue")),
)
OUTPUT = OutputSchema("classification", ("good", "bad"))


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self, now_s: float = 1001.0) -> None:
        self.now_s = now_s

    def unix_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


class MemoryAlertStore:
    """An alert store that can be broken."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.saved: list[Alert] = []
        self.is_broken = False

    def save(self, alert: Alert) -> None:
        if self.is_broken:
            raise OSError("away")
        self.alerts[alert.id] = alert
        self.saved.append(alert)

    def load_open(self) -> Sequence[Alert]:
        return [alert for alert in self.alerts.values() if alert.state != "resolved"]


class ListSink:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.published: list[Alert] = []

    def publish(self, alert: Alert) -> None:
        self.published.append(alert)


def rows(rng: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """Return rows as they are when nothing is wrong."""
    https = rng.choice([0.0, 0.5, 1.0], size=n, p=[0.3, 0.3, 0.4])
    return np.column_stack([https, rng.normal(40.0, 10.0, n), rng.integers(0, 3, n).astype(float)])


def scores(values_nd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what the version answers: it looks at ``https`` and ``age`` and fills in what is missing."""
    https = np.nan_to_num(values_nd[:, 0], nan=0.5)
    age = np.nan_to_num(values_nd[:, 1], nan=40.0)
    bad = 1.0 / (1.0 + np.exp(-(6.0 * (https - 0.5) + (age - 40.0) / 5.0)))
    return np.column_stack([1.0 - bad, bad])


def truths(rng: np.random.Generator, scores_nk: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return true classes for which the scores are the exact chances."""
    return (rng.uniform(size=len(scores_nk)) < scores_nk[:, 1]).astype(np.int64)


def profile(n: int = 4000, *, labelled: bool = False) -> ReferenceProfile:
    """Return the reference."""
    values_nd = rows(np.random.default_rng(1), n)
    scores_nk = scores(values_nd)
    truths_n = truths(np.random.default_rng(2), scores_nk) if labelled else None
    return build_profile(FEATURES, OUTPUT, values_nd, scores_nk.argmax(axis=1), scores_nk, truths_n=truths_n)


@cache
def evidence(n: int = 20_000) -> bytes:
    """Return the text of an evidence model."""
    values_nd = rows(np.random.default_rng(2), n)
    return write_model(EvidenceModel.fit(Rows(values_nd, scores(values_nd)), FEATURES, OUTPUT))


def info(version: str = "1", *, reference: bytes | None = None, evidence: bytes = b"") -> StreamInfo:
    """Return the announcement of a version."""
    text = profile().to_json() if reference is None else reference
    return StreamInfo("phishing", version, f"digest-{version}", FEATURES, OUTPUT, text, evidence)


def observe(
    values_nd: npt.NDArray[np.float64],
    at_s: float | npt.NDArray[np.float64],
    *,
    version: str = "1",
    variant: Variant = "stable",
    scores_nk: npt.NDArray[np.float64] | None = None,
    worker: str = "w1",
    revision: int = 1,
    flag: int = 0,
) -> Observation:
    """Return an observation of rows answered at a time."""
    n = len(values_nd)
    found = scores(values_nd) if scores_nk is None else scores_nk
    return Observation(
        key=StreamKey("phishing", version, f"digest-{version}", variant),
        worker=worker,
        route_revision=revision,
        sampled_ratio=1.0,
        request_ids=tuple(f"r{i}" for i in range(n)),
        answered_at_n=np.broadcast_to(np.asarray(at_s, dtype=np.float64), (n,)).copy(),
        key_hashes_n=np.zeros(n, dtype=np.uint64),
        values_nd=values_nd,
        labels_n=found.argmax(axis=1).astype(np.int32) if found.shape[1] else np.full(n, -1, dtype=np.int32),
        scores_nk=found,
        durations_n=np.zeros(n, dtype=np.float32),
        flags_n=np.full(n, flag, dtype=np.uint16),
    )
