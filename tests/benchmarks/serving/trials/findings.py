"""What trials of a gateway that meets every target would have found, for tests."""

from benchmarks.serving.trials.records import Isolation, Overload, Record, Refusal, Reload, Soak, Start, Workers

__all__ = ["FINDINGS", "ISOLATION", "OVERLOAD", "REFUSAL", "RELOAD", "SOAK", "START", "WORKERS"]

OVERLOAD = Overload(
    part="small",
    round=0,
    foreign=0.01,
    deadline_ms=1000,
    calm_good=800.0,
    calm_p99_ms=20.0,
    capacity=[1000.0, 900.0, 1100.0],
    offered=[2000.0, 1800.0, 2090.0],
    good=[880.0, 810.0, 950.0],
    full_p99_ms=60.0,
    problems={"503 overloaded (queue)": 900, "504 deadline-exceeded": 20},
    no_answer=0,
    unhinted=0,
    held=0,
    slipped_s=0.0,
    before_mb=200.0,
    after_mb=204.0,
    after=[0.99, 1.0, 1.0],
    after_refused=[5, 0, 0],
    answer_us=1000.0,
    refusal_us=150.0,
)
REFUSAL = Refusal(
    part="quota",
    round=0,
    foreign=0.01,
    refusal_us=[100.0, 90.0, 150.0],
    answer_us=[1000.0, 900.0, 1000.0],
    refused=50_000,
    answered=64,
)
ISOLATION = Isolation(
    part="shadow hangs",
    round=0,
    foreign=0.01,
    offered=500.0,
    p50_ms=1.0,
    p99_ms=10.5,
    around_p99_ms=[10.0, 10.4],
    canary_p99_ms=12.0,
    canary_answers=100,
    errors=0,
    problems={},
    slipped_s=0.0,
)
START = Start(part="start", round=0, foreign=0.01, seconds=[1.2, 1.1, 1.6])
RELOAD = Reload(
    part="reload",
    round=0,
    foreign=0.01,
    model_mb=100.4,
    reloads=6,
    reload_s=1.0,
    offered=200.0,
    before_p99_ms=10.0,
    during_p50_ms=4.0,
    during_p99_ms=14.0,
    during_answers=1000,
    failures=0,
    problems={},
    before_mb=600.0,
    peak_mb=900.0,
    after_mb=610.0,
    slipped_s=0.0,
)
WORKERS = Workers(
    part="workers",
    round=0,
    foreign=0.01,
    rates=[[3000.0, 2000.0, 3000.0], [5400.0, 3700.0, 4800.0]],
    p50_ms=[10.0, 9.0],
    p99_ms=[20.0, 22.0],
    server_cores=[0.95, 1.9],
    generator_cores=[0.05, 0.06],
    failures=0,
)
SOAK = Soak(
    part="soak",
    round=0,
    foreign=0.01,
    minutes=10.0,
    sent={"good": 100, "cancelled": 10},
    answers={"good": {"200": 100}, "cancelled": {}},
    undeserved={},
    counters={"good ok": [100, 100, 100], "cancelled ": [0, 10, 7]},
    growth={
        "anonymous MB": [0.1, 200.0],
        "open files": [0.0, 110.0],
        "threads": [0.0, 13.0],
        "asyncio tasks": [0.01, 7.0],
    },
    p99_ms=5.0,
)
FINDINGS: tuple[Record, ...] = (OVERLOAD, REFUSAL, ISOLATION, START, RELOAD, WORKERS, SOAK)
