"""When a canary is taken out, when it is forgiven, and what is no fault of its own."""

import pytest

from gateway.errors import BodyMalformed, InputRejected
from tests import models
from tests.pipeline.ground import REJECTING, Ground, predictions, run


def test_three_failures_in_a_row_send_the_canary_no_more(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for _ in range(5):
            assert (await ground.ask(7.0)).arm.variant == "stable"
        assert ground.notes.fallbacks == [("error", False), ("error", False), ("error", True)]
        assert (await ground.ask(1.0)).arm.variant == "stable"
        assert ground.requests() == {("stable", "ok"): 6}

    run(check)


def test_failures_of_one_key_are_one(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for key in ("a", "b", "a", "b", "a", "c"):
            assert (await ground.ask(7.0, key=key)).arm.variant == "stable"
        assert [tripped for _, tripped in ground.notes.fallbacks] == [False] * 5 + [True]

    run(check)


def test_a_key_counts_again_after_a_success(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for key, value in (("a", 7.0), ("b", 7.0), ("a", 1.0), ("a", 7.0), ("b", 7.0), ("c", 7.0)):
            await ground.ask(value, key=key)
        assert [tripped for _, tripped in ground.notes.fallbacks] == [False] * 4 + [True]

    run(check)


def test_a_success_between_failures_forgives_them(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for value in (7.0, 7.0, 1.0, 7.0, 7.0):
            await ground.ask(value)
        assert [tripped for _, tripped in ground.notes.fallbacks] == [False] * 4
        answer = await ground.ask(1.0)
        assert (answer.arm.variant, predictions(answer)) == ("canary", [20.0])
        assert ground.requests() == {("stable", "ok"): 4, ("canary", "ok"): 2}

    run(check)


def test_a_new_revision_lets_a_tripped_canary_begin_anew_and_the_same_one_does_not(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for _ in range(3):
            await ground.ask(7.0)
        ground.publish()
        assert (await ground.ask(1.0)).arm.variant == "stable"
        ground.route()
        assert (await ground.ask(1.0)).arm.variant == "canary"

    run(check)


def test_a_client_that_sends_nonsense_cannot_trip_the_canary(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"), REJECTING)

    async def check() -> None:
        ground.start()
        ground.route()
        for body in (b"{", b'{"instances": [{"x": "y"}]}', b'{"instances": [[1, 2]]}') * 2:
            with pytest.raises((BodyMalformed, InputRejected)):
                await ground.ask(body=body)
        assert ground.notes.fallbacks == []
        assert (await ground.ask(1.0)).arm.variant == "canary"
        assert ground.requests() == {("stable", "client_error"): 6, ("canary", "ok"): 1}

    run(check)


def test_a_fault_against_a_contract_that_both_share_is_the_clients(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        with pytest.raises(InputRejected):
            await ground.ask("y", 1.0)
        assert ground.requests() == {("canary", "client_error"): 1}
        assert ground.notes.faults == {("2", "x", "wrong_type"): 1}
        assert ground.notes.refused_rows == 2

    run(check)


def test_what_only_the_canary_refuses_is_counted_as_its_fault(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"), REJECTING)

    async def check() -> None:
        ground.start()
        ground.route()
        await ground.ask(7.0, 8.0, 1.0)
        assert ground.notes.faults == {("2", "x", "out_of_range"): 2}
        assert ground.notes.refused_rows == 3

    run(check)
