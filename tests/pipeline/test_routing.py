"""Who answers: keys, names, pins, versions that come and go."""

import json
from typing import Any, get_args

import pytest

from gateway.codec.decoders import BodyProtocol
from gateway.errors import ExecutionFailed, ModelNotReady, ModelUnknown, VersionUnknown
from gateway.routing.document import RouteDocument, ShadowRoute
from gateway.settings import RoutingSettings, Settings
from tests import models
from tests.pipeline.ground import Ground, predictions, run


def test_keys_stick_and_a_higher_weight_only_adds(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        taken: list[set[str]] = []
        for weight in (0.0, 10.0, 10.0, 40.0, 100.0):
            ground.route(weight=weight)
            answers = [await ground.ask(1.0, key=f"user-{i}", request_id=f"{weight}-{i}") for i in range(200)]
            taken.append({f"user-{i}" for i, answer in enumerate(answers) if answer.arm.variant == "canary"})
        none, some, again, more, every = taken
        assert none == set()
        assert some == again
        assert some < more < every
        assert 8 <= len(some) <= 35
        assert len(every) == 200

    run(check)


def test_without_a_key_the_request_id_decides(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        first = [(await ground.ask(1.0, request_id=f"r{i}")).arm.variant for i in range(40)]
        second = [(await ground.ask(1.0, request_id=f"r{i}", key="")).arm.variant for i in range(40)]
        keyed = [(await ground.ask(1.0, request_id="other", key=f"r{i}")).arm.variant for i in range(40)]
        assert first == second == keyed
        assert set(first) == {"stable", "canary"}

    run(check)


def test_an_answer_names_version_revision_and_times(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        answer = await ground.ask(1.0, 2.0)
        assert (answer.arm.version, answer.arm.variant, answer.route.revision, answer.is_fallback) == (
            "1",
            "stable",
            1,
            False,
        )
        assert predictions(answer) == [1.0, 2.0]
        assert 0 < answer.inference_s < answer.total_s
        assert 0 <= answer.queue_s < answer.total_s

    run(check)


def test_a_pinned_version_answers_for_itself(ground: Ground) -> None:
    ground.load("2", models.failing_model())
    ground.load("3", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route(weight=0.0)
        answer = await ground.ask(1.0, version="3")
        assert (answer.arm.variant, answer.arm.version, predictions(answer)) == ("pinned", "3", [20.0])
        with pytest.raises(ExecutionFailed):
            await ground.ask(7.0, version="2")
        assert ground.notes.fallbacks == []
        assert ground.requests() == {("pinned", "ok"): 1, ("pinned", "server_error"): 1}

    run(check)


def test_names_that_nothing_answers_to_are_told(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        with pytest.raises(ModelUnknown):
            await ground.ask(1.0, model="other")
        with pytest.raises(VersionUnknown):
            await ground.ask(1.0, version="9")
        assert ground.requests() == {}

    run(check)


def test_without_a_name_the_body_or_the_only_model_answers(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        assert (await ground.ask(1.0, model=None)).arm.model == "m"
        body = b'{"instances": [{"x": 1}], "model": "m"}'
        assert (await ground.ask(model=None, body=body)).arm.model == "m"
        with pytest.raises(ModelUnknown):
            await ground.ask(model=None, body=body.replace(b'"m"', b'"o"'))
        ground.routes["o"] = RouteDocument("o", 1, "1", "salt")
        ground.publish()
        with pytest.raises(ModelUnknown, match="several are served"):
            await ground.ask(1.0, model=None)
        assert (await ground.ask(model=None, body=body)).arm.model == "m"

    run(check)


def test_the_default_model_is_a_setting(ground: Ground) -> None:
    async def check() -> None:
        ground.start(Settings(routing=RoutingSettings(default_model="m")))
        ground.routes["o"] = RouteDocument("o", 1, "1", "salt")
        ground.route(canary=None)
        assert (await ground.ask(1.0, model=None)).arm.model == "m"

    run(check)


def test_a_stable_version_that_is_not_loaded_is_told(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(stable="5", canary=None)
        with pytest.raises(ModelNotReady, match="its stable version 5 is not loaded"):
            await ground.ask(1.0)

    run(check)


def test_a_route_to_a_version_that_is_not_loaded_waits_while_the_present_one_serves(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        ground.route(stable="5", canary=None)
        answer = await ground.ask(1.0)
        assert (answer.arm.version, answer.route.revision) == ("1", 1)
        ground.load("5", models.elementwise("Identity"))
        ground.publish()
        answer = await ground.ask(1.0)
        assert (answer.arm.version, answer.route.revision) == ("5", 2)

    run(check)


def test_a_canary_that_is_not_loaded_gets_no_traffic(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route()
        answer = await ground.ask(1.0)
        assert (answer.arm.variant, answer.is_fallback) == ("stable", False)

    run(check)


def test_arms_last_as_long_as_their_role(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        ground.route()
        before = ground.pipeline.table.find("m")
        ground.route(weight=5.0)
        after = ground.pipeline.table.find("m")
        assert (after.stable, after.canary) == (before.stable, before.canary)
        ground.route(stable="2", canary=None)
        promoted = ground.pipeline.table.find("m")
        assert promoted.stable is not before.canary
        assert ground.keeper.arms() == {promoted.stable}

    run(check)


def test_a_version_that_is_loaded_again_gets_a_new_arm(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        before = ground.pipeline.table.find("m").stable_arm()
        ground.load("1", models.elementwise("Identity"))
        ground.publish()
        after = ground.pipeline.table.find("m").stable_arm()
        assert after is not before
        assert after.servable is ground.loaded[("m", "1")]

    run(check)


def test_shadows_sample_by_a_salt_of_their_own(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None, shadows=(ShadowRoute("7", 3_000), ShadowRoute("8", 10_000), ShadowRoute("9", 3_000)))
        seven, eight, nine = ground.pipeline.table.find("m").shadows
        taken = [{i for i in range(1000) if shadow.takes(f"r{i}")} for shadow in (seven, eight, nine)]
        assert len(taken[1]) == 1000
        assert 200 < len(taken[0]) < 400
        assert len(taken[0] & taken[2]) < 150

    run(check)


@pytest.mark.parametrize("protocol", get_args(BodyProtocol))
def test_every_protocol_takes_the_same_way(ground: Ground, protocol: BodyProtocol) -> None:
    tensor = {"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1, 2]}
    bodies: dict[str, Any] = {"v2": {"inputs": [tensor]}, "mlflow": {"inputs": {"x": [1, 2]}}}
    body = json.dumps(bodies.get(protocol, {"instances": [[1], [2]]})).encode()

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        assert predictions(await ground.ask(body=body, protocol=protocol)) == [1.0, 2.0]
        assert ground.requests() == {("stable", "ok"): 1}

    run(check)
