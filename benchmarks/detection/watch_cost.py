"""What does evidence cost the watch of a gateway, at the rate of rows that workers sample?

    python -m benchmarks.detection.watch_cost

Claim: with evidence, one stream of 2,000 rows a second at 30 features takes no more than 5 % of a core. Rows come in
blocks as a worker's tap sends them, and the service is ticked twice a second, as in the watch. Times are CPU time of
the process, from the bytes of a frame to alerts; the best of three rounds.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

import numpy as np

from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.paging import Paging
from monitors.records import FeatureSchema, Observation, OutputSchema, StreamInfo, StreamKey
from monitors.reference import build_profile
from monitors.service import MonitorService
from monitors.thresholds import Thresholds
from monitors.transport.frames import decode_frame, encode_frame

FEATURES, CLASSES = 30, 3
REFERENCE_ROWS = 20_000
ROWS_A_SECOND, BLOCKS_A_SECOND, TICKS_A_SECOND = 2_000, 4, 2
SECONDS, ROUNDS = 60, 3


@dataclass
class HandClock:
    """A clock that the benchmark moves."""

    now_s: float = 1_000_000.0

    def unix_s(self) -> float:
        """Return the time."""
        return self.now_s

    def monotonic_s(self) -> float:
        """Return the time."""
        return self.now_s


def main() -> None:
    """Print one line of JSON a case."""
    for has_evidence, segment in ((False, None), (True, None), (True, f"f{FEATURES - 1}")):
        info = announcement(has_evidence=has_evidence, segment=segment)
        share = min(measured(info) for _ in range(ROUNDS))
        case = {"evidence": has_evidence, "segments": bool(segment), "features": FEATURES, "rows_per_s": ROWS_A_SECOND}
        print(json.dumps(case | {"core_share": round(share, 4)}), flush=True)


def announcement(*, has_evidence: bool, segment: str | None = None) -> StreamInfo:
    """Return a version with a reference profile, and evidence if it is to be measured.

    The last feature has four values, by which rows may be told apart.
    """
    features = tuple(FeatureSchema(f"f{d}", "number", "float64") for d in range(FEATURES))
    output = OutputSchema("classification", tuple("abc"[:CLASSES]))
    rng = np.random.default_rng(1)
    values_nd, scores_nk = drawn(rng, REFERENCE_ROWS), rng.dirichlet(np.ones(CLASSES), REFERENCE_ROWS)
    labels_n = scores_nk.argmax(axis=1)
    reference = build_profile(features, output, values_nd, labels_n, scores_nk, segment=segment).to_json()
    rows = Rows(values_nd, scores_nk, labels_n)
    evidence = write_model(EvidenceModel.fit(rows, features, output, segment=segment)) if has_evidence else b""
    return StreamInfo("m", "1", "d", features, output, reference, evidence)


def measured(info: StreamInfo) -> float:
    """Return the share of a core that the watch takes."""
    clock, rng = HandClock(), np.random.default_rng(2)
    service = MonitorService(Thresholds(), clock, paging=Paging(burn_in_s=0.0))
    service.take_info(info)
    service.take(block(rng, clock.now_s - 3_600.0))  # late; from now on the model is known
    service.tick()
    frames = [[encode_frame(block(rng, 0.0)) for _ in range(BLOCKS_A_SECOND)] for _ in range(4)]
    began = time.process_time()
    for second in range(SECONDS):
        for i, frame in enumerate(frames[second % len(frames)]):
            clock.now_s += 1.0 / BLOCKS_A_SECOND
            service.receive(moved(decode_frame(frame), clock.now_s))
            if i % (BLOCKS_A_SECOND // TICKS_A_SECOND) == 0:
                service.tick()
    spent_s = time.process_time() - began
    (stream,) = service.report("m")["streams"]
    assert stream["evidence"] is None or stream["evidence"]["summaries"] > SECONDS - 5
    return spent_s / SECONDS


def block(rng: np.random.Generator, at_s: float) -> Observation:
    """Return rows as a tap sends them."""
    n = ROWS_A_SECOND // BLOCKS_A_SECOND
    scores_nk = rng.dirichlet(np.ones(CLASSES), n)
    return Observation(
        StreamKey("m", "1", "d", "stable"),
        "w1",
        1,
        1.0,
        tuple(f"{i:016x}" for i in range(n)),
        np.full(n, at_s),
        np.arange(n, dtype=np.uint64),
        drawn(rng, n),
        scores_nk.argmax(axis=1).astype(np.int32),
        scores_nk,
        np.zeros(n, np.float32),
        np.zeros(n, np.uint16),
    )


def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return raw features."""
    values_nd = rng.normal(size=(n, FEATURES))
    values_nd[:, -1] = rng.integers(0, 4, n)
    return values_nd


def moved(seen: object, at_s: float) -> Observation:
    """Return a block with another time of answer."""
    assert isinstance(seen, Observation)
    return replace(seen, answered_at_n=np.full(len(seen.request_ids), at_s))


if __name__ == "__main__":
    main()
