"""A log replayed pages where the watch paged: on the same rows, with the same evidence."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gateway.commands.replay.log_blocks import LogSource
from gateway.commands.replay.plan import Plan, Wishes
from gateway.commands.replay.run import replay
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.live.stream import EvidenceStream
from monitors.records import Observation
from tests.gateway.prediction_log.material import INFO, KEY, NOON, Ground, answers


def drawn(rng: np.random.Generator, n: int, shift: float = 0.0) -> Rows:
    width = rng.normal(shift, 1.0, n)
    bad = 1.0 / (1.0 + np.exp(-width - rng.normal(size=n)))
    values = np.column_stack([width, rng.poisson(3.0, n), rng.choice([-1.0, 0.0, 1.0], n, p=(0.01, 0.6, 0.39))])
    values[rng.random(n) < 0.02, 1] = np.nan
    return Rows(values, np.column_stack([1.0 - bad, bad]), (bad > 0.5).astype(np.int64))


def observed(rows: Rows, times: np.ndarray, worker: str, *, instead: bool = False) -> Observation:
    assert rows.scores_nk is not None
    assert rows.labels_n is not None
    seen = answers(*(f"{worker}-{time}" for time in times))
    return replace(
        seen,
        worker=worker,
        answered_at_n=times,
        values_nd=rows.values_nd,
        scores_nk=rows.scores_nk,
        labels_n=rows.labels_n.astype(np.int32),
        flags_n=np.full(len(times), 1 if instead else 0, np.uint16),
    )


def traffic(rng: np.random.Generator) -> list[Observation]:
    """Return blocks of two workers that overlap in time, slow traffic and fast, and a change at second 60."""
    blocks = []
    for second in range(90):
        for worker in ("w-1", "w-2"):
            n = 3 if 20 <= second < 40 else 20
            times = np.round(np.sort(NOON + second + rng.random(n) * 1.2), 6)
            blocks.append(observed(drawn(rng, n, 0.7 if second >= 60 else 0.0), times, worker))
        blocks.append(observed(drawn(rng, 2, 9.0), np.full(2, NOON + second + 0.5), "w-1", instead=True))
    return blocks


def test_a_log_replayed_pages_where_the_watch_paged(tmp_path: Path) -> None:
    rng = np.random.default_rng(31)
    model = EvidenceModel.fit(drawn(rng, 6_000), INFO.features, INFO.output)
    plan = Plan.of(Wishes(pages_per_week=100.0), has_times=True)
    stream = EvidenceStream(KEY, model, plan.budget, "profile", counts_from_s=0.0, recent_rows=200)
    ground, said = Ground(tmp_path / "log"), []
    for block in traffic(rng):
        ground.writer.take(block)
        stream.take(block, float(block.answered_at_n.max()))
    for second in stream.seconds.pending(int(NOON) + 1_000):
        said += [(second, event) for event in stream.end_second(second, counts=True)]
    ground.writer.close()
    found = replay(LogSource(ground.path, INFO).blocks(), model, plan, draws=False)
    assert len([event for _, event in said if event.level == "page"]) > 3
    assert found.monitor.summaries == stream.summaries
    again = replay(LogSource(ground.path, INFO).blocks(), model, plan, draws=False).incidents
    assert again.pages == sum(event.level == "page" for _, event in said)
    first = {cause: next((second, e) for second, e in said if e.cause == cause) for cause in {e.cause for _, e in said}}
    for incident in found.incidents.listed:
        if incident.first.cause in first:
            second, event = first.pop(incident.first.cause)
            assert (incident.first.level, incident.first.evidence_nats, incident.first.row) == (
                event.level,
                event.evidence_nats,
                event.rows_seen,
            )
            assert int(incident.first.time_s or 0.0) == second
    assert not first
