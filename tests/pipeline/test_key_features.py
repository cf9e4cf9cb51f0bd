"""A feature of the first row as the routing key."""

import json

from gateway.settings import RoutingSettings, Settings
from tests import models
from tests.pipeline.ground import Ground, Outcome, keeping, run

KEYED = "interface: {{features: [{{name: x}}], key_feature: {0}}}"


def test_a_feature_may_be_the_key(ground: Ground) -> None:
    manifest = KEYED.format("x")
    ground.load("1", models.elementwise("Identity"), manifest)
    ground.load("2", models.elementwise("Identity"), manifest)

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        by_value = [(await ground.ask(float(i), request_id=f"r{i}")).arm.variant for i in range(40)]
        again = [(await ground.ask(float(i), request_id=f"s{i}")).arm.variant for i in range(40)]
        assert by_value == again
        assert set(by_value) == {"stable", "canary"}
        header = [(await ground.ask(float(i), key="same")).arm.variant for i in range(40)]
        assert len(set(header)) == 1

    run(check)


def test_a_key_feature_that_is_missing_leaves_it_to_the_request_id(ground: Ground) -> None:
    manifest = "interface: {features: [{name: x, missing: flag}], key_feature: x}"
    for version in ("1", "2"):
        ground.load(version, models.elementwise("Identity"), manifest)

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        calls = [ground.call(None, request_id=f"r{i}") for i in range(40)]
        outcomes: list[list[Outcome]] = [[] for _ in calls]
        for call, outcome in zip(calls, outcomes, strict=True):
            ground.pipeline.submit(call, keeping(outcome))
        assert all(call.key is None for call in calls)

    run(check)


def test_a_key_may_be_a_string_feature(ground: Ground) -> None:
    features = "[{name: petal_length}, {name: petal_width}, {name: sepal, dtype: string}]"
    manifest = f"interface: {{features: {features}, key_feature: sepal}}"
    for version in ("1", "2"):
        ground.load(version, models.columns_classifier(), manifest)

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        for size in models.IRIS_SIZES:
            call = ground.call(body=json.dumps({"instances": [[1.5, 0.2, size]]}).encode())
            await ground.pipeline.predict(call)
            assert call.key == size

    run(check)


def test_a_key_feature_that_the_model_does_not_have_leaves_it_to_the_request_id(ground: Ground) -> None:
    async def check() -> None:
        ground.start(Settings(routing=RoutingSettings(key_feature="user")))
        ground.route(canary=None)
        call = ground.call(1.0)
        await ground.pipeline.predict(call)
        assert call.key is None

    run(check)
