"""A stopped model: nobody answers, or one version does, whatever the route says."""

import asyncio
from dataclasses import replace

import pytest

from gateway.errors import ModelStopped
from gateway.routing.document import ShadowRoute, Stop
from tests import models
from tests.pipeline.ground import Ground, run


def halt(ground: Ground, version: str | None = None) -> None:
    route = ground.routes["m"]
    ground.routes["m"] = replace(route, revision=route.revision + 1, stop=Stop("harm", "now", "ann", version))
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
