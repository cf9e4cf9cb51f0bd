"""A baseline of live traffic told apart by a feature: accepted, watched within segments, kept, and taken away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gateway.cli import main
from tests.end_to_end.running import TOKEN, RunningGateway
from tests.gateway.commands.replay.material import write_table
from tests.models import elementwise, write_bundle

ROWS = 7_000
SECONDS = 100
MANIFEST = "schema_version: 1\ninterface: {features: [{name: age}, {name: plan}]}\n"
MOVED = "age where plan is 3"
ENVIRON = {
    "WEIR_MONITOR__TICK_S": "0.2",
    "WEIR_MONITOR__BURN_IN_S": "0",
    "WEIR_MONITOR__ROWS_PER_S": "100000",
}


def weir(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that succeeds, and return what it prints."""
    with pytest.raises(SystemExit) as end:
        main(words)
    printed = capsys.readouterr()
    assert end.value.code in (0, None), printed.err
    return printed.out


def people(n: int, seed: int, older: float = 0.0) -> list[dict[str, float]]:
    """Return rows; those of plan 3 are older."""
    rng = np.random.default_rng(seed)
    plan_n = rng.choice([1.0, 2.0, 3.0], n, p=(0.5, 0.3, 0.2))
    age_n = rng.normal(40.0, 8.0, n) + older * (plan_n == 3.0)
    return [{"age": age, "plan": plan} for age, plan in zip(age_n.tolist(), plan_n.tolist(), strict=True)]


def send(gateway: RunningGateway, rows: list[dict[str, float]]) -> None:
    """Send rows, many a request."""
    with gateway.client() as client:
        for start in range(0, len(rows), 1_000):
            client.post("/predict/fraud", json={"instances": rows[start : start + 1_000]}).raise_for_status()


def evidence(gateway: RunningGateway) -> Mapping[str, Any]:
    """Return what the drift report says of the evidence of the one stream, as soon as the watch knows of it."""
    with gateway.client() as client:
        answer = client.get("/admin/v1/models/fraud/drift")
    streams = answer.json()["streams"] if answer.status_code == 200 else []
    found: Mapping[str, Any] | None = streams[0]["evidence"] if streams else None
    return found or {"calibration": "", "summaries": 0}


def drift(gateway: RunningGateway) -> Mapping[str, Any] | None:
    """Return the page about drift."""
    alerts = gateway.read("/admin/v1/alerts").json()["alerts"]
    return next((one for one in alerts if (one["cause"], one["severity"]) == ("drift", "page")), None)


def collected(log: Path, out: Path, gateway: RunningGateway) -> Path:
    """Export the log once it holds all rows, as if they had come over minutes: a baseline takes more than a moment."""
    export = ("log", "export", "--model", "fraud", "--path", str(log), "--out", str(out))

    def is_whole() -> bool:
        out.unlink(missing_ok=True)  # of an export that came before the last rows, which none may write over
        with pytest.raises(SystemExit) as end:
            main(export)
        return end.value.code in (0, None) and out.exists() and len(out.read_bytes().splitlines()) == ROWS

    gateway.wait_until(is_whole, "all rows in the log", 30.0)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    begin = datetime.fromisoformat(records[0]["time"]) - timedelta(seconds=SECONDS)
    for i, record in enumerate(records):
        record["time"] = (begin + timedelta(seconds=i * SECONDS / ROWS)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    out.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return out


def kill_watch(gateway: RunningGateway) -> None:
    """Kill the watch, and wait for another one that goes on where it stood."""
    (pid,) = gateway.children("gateway.watch")
    psutil.Process(pid).kill()
    gateway.wait_until(lambda: gateway.children("gateway.watch") not in ([pid], []), "another watch")


def test_a_baseline_told_apart_pages_for_one_segment_is_kept_and_taken_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("COLUMNS", "160")
    models, log = tmp_path / "models", tmp_path / "log"
    folder = write_bundle(models / "fraud" / "1", elementwise("Identity", 2), **{"model.yaml": MANIFEST})
    texts = [[str(value) for value in row.values()] for row in people(6_000, seed=1)]
    table = str(write_table(tmp_path / "training.csv", texts, ("age", "plan")))
    told = weir(capsys, "profile", str(models), "fraud", "1", "--table", table, "--segment", "plan")
    assert "4 segments by plan, other included, 3 of them with evidence" in told
    environ = ENVIRON | {"WEIR_PREDICTION_LOG__PATH": str(log)}
    with RunningGateway(models, tmp_path / "weir.db", workers=1, environ=environ) as gateway:
        at = ("--url", gateway.url)
        send(gateway, people(ROWS, seed=2))
        rows = str(collected(log, tmp_path / "week.jsonl", gateway))
        capsys.readouterr()
        accept = ("baseline", "accept", "fraud", rows, "--folder", str(folder), "--reason", "a normal week")
        told = weir(capsys, *accept, "--pages-per-week", "5000", *at)
        assert "7,000 of week.jsonl" in told
        assert weir(capsys, "baseline", "show", "fraud", *at) == told
        seeds = iter(range(3, 1_000))

        def is_watched(calibration: str) -> bool:
            send(gateway, people(50, next(seeds)))
            return bool(evidence(gateway)["calibration"] == calibration)

        gateway.wait_until(lambda: is_watched("baseline"), "evidence against the baseline")

        def pages() -> bool:
            send(gateway, people(100, next(seeds), older=16.0))
            return drift(gateway) is not None

        gateway.wait_until(pages, "a page about what only plan 3 does", 30.0)
        found = drift(gateway)
        assert found is not None
        assert (found["calibration"], found["state"]) == ("baseline", "firing")
        named = {driver["name"]: driver for driver in found["drivers"]}
        assert named[MOVED]["statistic"] == "segment"
        assert not [name for name in named if name.endswith(("is 1", "is 2"))]
        said = " ".join(weir(capsys, "alerts", *at).replace("\u2502", " ").split())
        assert f"{MOVED} median 4" in said

        kill_watch(gateway)
        gateway.wait_until(lambda: is_watched("baseline"), "the baseline in another watch")
        kept = drift(gateway)
        assert kept is not None
        assert (kept["id"], kept["since"]) == (found["id"], found["since"])

        weir(capsys, "baseline", "reset", "fraud", "--reason", "not so normal", *at)
        gateway.wait_until(lambda: is_watched("profile"), "evidence against the table")
