"""The thread budget: what is granted, shared between versions of a model, and returned."""

import os

import pytest

from gateway.engine.threads import ThreadBudget, cores_of_one_worker


class Version:
    """Something that can go away."""


def test_cores_are_shared_between_workers_and_each_has_one_at_least() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert cores_of_one_worker(1) == cores
    assert cores_of_one_worker(10_000) == 1


@pytest.mark.parametrize(("asked", "granted"), [(1, 1), (3, 3), (4, 4), (9, 4)])
def test_a_version_gets_what_it_asks_for_within_the_budget(asked: int, granted: int) -> None:
    assert ThreadBudget(4).grant("m", asked) == granted


def test_models_together_stay_within_the_budget() -> None:
    budget, held = ThreadBudget(4), [Version(), Version()]
    budget.hold(held[0], "a", budget.grant("a", 3))
    assert budget.grant("b", 3) == 1
    budget.hold(held[1], "b", 1)
    assert budget.grant("c", 2) == 1
    del held[0]
    assert budget.grant("b", 3) == 3


def test_a_new_version_gets_as_much_as_the_one_it_replaces() -> None:
    budget, held = ThreadBudget(4), [Version(), Version(), Version()]
    budget.hold(held[0], "a", budget.grant("a", 2))
    budget.hold(held[1], "a", budget.grant("a", 3))
    assert budget.grant("a", 4) == 4
    budget.hold(held[2], "b", budget.grant("b", 4))
    assert budget.grant("a", 4) == 4
    assert budget.grant("b", 2) == 1
