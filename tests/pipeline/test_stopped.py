"""A stopped model: nobody answers, or one version does, whatever the route says."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InputRejected, ModelStopped
from gateway.routing.document import ShadowRoute, Stop
from tests import models
from tests.pipeline.ground import REJECTING, Ground, predictions, run


def halt(ground: Ground, version: str | None = None, answer: dict[str, Any] | None = None) -> None:
    route = ground.routes["m"]
    ground.routes["m"] = replace(route, revision=route.revision + 1, stop=Stop("harm", "now", "ann", version, answer))
    ground.publish()


def resume(ground: Ground) -> None:
    route = ground.routes["m"]
    ground.routes["m"] = replace(route, revision=route.revision + 1, stop=None)
    ground.publish()


def test_every_request_is_refused_the_canarys_and_named_ones_too_until_it_is_resumed(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0, shadows=(ShadowRoute("2", 10_000),))
        halt(ground)
        for named in ({"key": "a"}, {"key": "b"}, {"version": "1"}, {"version": "2"}, {"version": "9"}):
            with pytest.raises(ModelStopped):
                await ground.ask(1.0, **named)
        assert ground.pipeline.table.find("m").shadows == ()
        assert ground.pipeline.table.find("m").revision == 2
        resume(ground)
        variants = {(await ground.ask(1.0, key=f"u{i}")).arm.variant for i in range(40)}
        assert variants == {"stable", "canary"}

    run(check)


def test_the_fallback_version_answers_everything_alone(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        halt(ground, "2")
        answer = await ground.ask(1.0)
        assert (answer.arm.version, answer.arm.variant, answer.route.revision) == ("2", "stable", 2)
        with pytest.raises(ModelStopped):
            await ground.ask(1.0, version="1")

    run(check)


def test_a_constant_answer_is_given_without_the_model_and_only_to_what_its_contract_takes(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"), manifest=REJECTING)

    async def check() -> None:
        ground.start()
        ground.route(stable="2", canary="1")
        halt(ground, "2", {"y": 7.5})
        answer = await ground.ask(5.0, 4.0, key="a")
        assert (answer.arm.version, answer.arm.variant, answer.route.revision) == ("2", "constant", 2)
        assert predictions(answer) == [7.5, 7.5]
        with pytest.raises(InputRejected):
            await ground.ask(6.0)
        with pytest.raises(ModelStopped):
            await ground.ask(1.0, version="1")
        arm = answer.arm
        ground.publish()
        assert (await ground.ask(1.0)).arm is arm, "another change of the roster made it anew"
        halt(ground, "2", {"y": 8.0})
        assert predictions(await ground.ask(1.0)) == [8.0]
        assert ground.requests() == {("constant", "ok"): 3, ("constant", "client_error"): 1}
        resume(ground)
        assert (await ground.ask(1.0)).arm.variant == "canary"

    run(check)


def test_a_constant_answer_of_another_version_refuses_everything(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        halt(ground, "1", {"another": 1.0})
        with pytest.raises(ModelStopped):
            await ground.ask(1.0)

    run(check)


def test_a_fallback_version_that_is_not_here_answers_nothing(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        halt(ground, "7")
        with pytest.raises(ModelStopped):
            await ground.ask(1.0)

    run(check)


def test_a_call_that_began_before_the_stop_is_answered(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        waiting = asyncio.create_task(ground.ask(1.0))
        await asyncio.sleep(0)
        halt(ground)
        with pytest.raises(ModelStopped):
            await ground.ask(1.0)
        assert (await waiting).arm.version == "1"

    run(check)
