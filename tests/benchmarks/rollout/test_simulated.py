"""The simulation of rollouts: real policy and trials, so that what it shows is what happens."""

from dataclasses import replace

from benchmarks.rollout.aa import FEW, summary
from benchmarks.rollout.power import shadow_requests
from benchmarks.rollout.simulated import simulate
from benchmarks.rollout.traffic import Harm, TrafficSpec

TRAFFIC = TrafficSpec(keys=20_000, per_s=60.0)
QUICK = replace(FEW, steps=(10.0, 50.0), dwell_s=120.0, bake_s=120.0)


def test_an_equal_version_is_completed_and_a_failing_one_is_taken_back_by_the_right_gate() -> None:
    equal = simulate(QUICK, TRAFFIC, 1)
    assert (equal.state, equal.gates) == ("completed", ())
    failing = simulate(QUICK, TRAFFIC, 1, harm=Harm(failing=0.3))
    assert (failing.state, failing.gates) == ("rolled_back", ("errors",))
    collapsed = simulate(QUICK, TRAFFIC, 1, harm=Harm(collapsed=True))
    assert collapsed.gates == ("predictions",)
    assert "| together | 2 | 1 | 0 | 1 |" in summary([("all of it", equal), ("many stalls", failing)])


def test_the_same_seed_is_the_same_rollout() -> None:
    assert simulate(QUICK, TRAFFIC, 3, most_minutes=6) == simulate(QUICK, TRAFFIC, 3, most_minutes=6)


def test_a_shadow_that_disagrees_more_is_turned_away_sooner() -> None:
    assert shadow_requests(0.4, 0) < shadow_requests(0.2, 0)
