"""The OpenAPI document is valid, and says what the worker does: no more, no less."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from gateway.admission.deadline import of_headers
from gateway.batching.jobs import Run
from gateway.call import Call
from gateway.catalog.bundle import read_bundle
from gateway.clock import SystemClock
from gateway.codec.plain import PlainDecoder, PlainWriter
from gateway.contract import Feature
from gateway.control import Control
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from gateway.errors import HeaderInvalid, RequestInvalid
from gateway.http.answers import plain_body
from gateway.http.auth import BearerToken
from gateway.http.credentials import Credentials
from gateway.http.openapi import describe
from gateway.http.openapi_answers import problem_types
from gateway.http.openapi_models import answer_schema, example_request, feature_schema, request_schema
from gateway.http.probes import Readiness
from gateway.http.router import build_router
from gateway.http.sessions import Sessions, SignedOut
from gateway.http.targets import target_of
from gateway.http.watch_proxy import WatchProxy
from gateway.pipeline import Pipeline
from gateway.routing.table import ModelRoute, RouteTable
from gateway.settings import LimitSettings
from tests import models
from tests.models import write_bundle

COLUMNS = """
schema_version: 1
interface:
  unknown_features: ignore
  features:
    - {name: petal_length, range: {min: 0, max: 10}, out_of_range: reject}
    - {name: petal_width, missing: impute, fill: 1.3}
    - {name: sepal, dtype: string, categories: [long, medium, short], unseen: reject}
"""
GRAPHS = {
    "matrix": (models.matrix_classifier, {}),
    "columns": (models.columns_classifier, {"model.yaml": COLUMNS}),
    "zipmap": (models.zipmap_classifier, {}),
    "regressor": (models.regressor, {}),
    "image": (models.image_model, {}),
    "several": (models.multi_output, {}),
}
"""Every kind of contract and answer."""


class Nobody:
    """Stands for what the routes hold and this test never calls."""


class ArmOf:
    """The part of an arm that the document is made from."""

    def __init__(self, servable: ServableVersion) -> None:
        self.servable = servable


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServableVersion]:
    root = tmp_path_factory.mktemp("models")
    for name, (graph, files) in GRAPHS.items():
        write_bundle(root / name / "1", graph(), **files)
    return {name: load_version(read_bundle(root / name / "1", model=name, version="1")) for name in GRAPHS}


@pytest.fixture(scope="module")
def document(versions: dict[str, ServableVersion]) -> dict[str, Any]:
    routes = {name: ModelRoute(name, 1, cast(Any, ArmOf(servable))) for name, servable in versions.items()}
    return describe(RouteTable({**routes, "absent": ModelRoute("absent", 1, None)}), "1.2.3")


@pytest.fixture
def registered(tmp_path: Path) -> set[tuple[str, str]]:
    """Give method and path of every route that the worker's router answers."""
    nobody = cast(Any, Nobody())
    pipeline = Pipeline(nobody)
    readiness = Readiness(pipeline, is_settled=lambda: True, store_is_up=lambda: True)
    control = Control(nobody, nobody, SystemClock(), repository=nobody)
    proxy = WatchProxy(tmp_path / "watch.sock")
    router = build_router(
        pipeline,
        readiness,
        control,
        nobody,
        proxy,
        credentials=Credentials(BearerToken("t"), Sessions("t", SignedOut(tmp_path), SystemClock())),
        counters=tmp_path,
        product_version="1",
    )
    routes = [route for route in router.routes if isinstance(route, Route)]
    assert len(routes) == len(router.routes)
    return {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def accepts(schema: dict[str, Any], value: object) -> bool:
    return not list(Draft202012Validator(schema).iter_errors(value))


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_the_router_and_the_document_list_the_same_routes(
    document: dict[str, Any], registered: set[tuple[str, str]]
) -> None:
    inference = {("POST", path) for _, path, _ in operations(document) if target_of(path)}
    assert {(method, path) for method, path, _ in operations(document)} == registered | inference


def test_every_way_to_infer_is_there(document: dict[str, Any]) -> None:
    wanted = {"/predict", "/predict/{model}", "/predict/absent", *(f"/predict/{name}" for name in GRAPHS)}
    wanted |= {"/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"}
    wanted |= {"/v1/models/{model}:predict", "/invocations"}
    posts = {path for method, path, _ in operations(document) if method == "POST"}
    posts = {path for path in posts if not path.startswith(("/admin/", "/v2/repository/"))}
    assert posts == wanted


def test_every_problem_type_is_described(document: dict[str, Any]) -> None:
    types = {problem.type for problem in problem_types()}
    assert set(document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]) == types
    assert all(problem in document["info"]["description"] for problem in types)
    told = set(re.findall(r"urn:weir:problem:[a-z-]+", str([document["paths"], document["components"]["responses"]])))
    assert told == types


def test_a_request_may_say_what_the_gateway_reads_of_it(document: dict[str, Any]) -> None:
    schemas = {told["name"]: told["schema"] for told in document["paths"]["/predict"]["post"]["parameters"]}
    assert schemas.keys() >= {"x-request-id", "x-route-key", "x-api-key", "content-encoding"}
    for name in ("x-request-deadline-ms", "x-request-priority"):
        for value in (0, 1, 7, 86_400_000, 86_400_001, "high", "normal", "low", "urgent", -1):
            assert accepts(schemas[name], value) == is_read(name, str(value)), (name, value)


def is_read(name: str, value: str) -> bool:
    try:
        of_headers([(name.encode(), value.encode())])
    except HeaderInvalid:
        return False
    return True


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_every_answer_carries_the_request_id_and_a_prediction_says_who_answered(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        assert all("x-request-id" in answer["headers"] for answer in operation["responses"].values())
        if target_of(path):
            assert operation["responses"]["200"]["headers"].keys() >= {"x-model-version", "x-variant", "server-timing"}


def test_only_what_changes_something_or_tells_of_the_inside_needs_the_token(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        is_guarded = path.startswith(("/admin/", "/v2/repository/models/"))
        assert ("security" in operation) == is_guarded
        assert ("401" in operation["responses"]) == is_guarded


@pytest.mark.parametrize("name", GRAPHS)
def test_the_example_of_a_model_is_accepted_and_its_answer_fits(
    name: str, versions: dict[str, ServableVersion]
) -> None:
    version = versions[name]
    body = example_request(version)
    if body is None:
        assert version.contract.layout == "tensors"
        return
    assert accepts(request_schema(version), body)
    assert accepts(answer_schema(version), answered(version, body))


@pytest.mark.parametrize(
    "row",
    [
        {"petal_length": 1.0, "sepal": "long"},
        {"petal_length": 1, "petal_width": None, "sepal": "long"},
        {"petal_length": 1.0, "sepal": "long", "colour": "blue"},
        [1.0, None, "short"],
        {"petal_length": 11.0, "sepal": "long"},
        {"petal_length": 1.0, "sepal": "huge"},
        {"petal_length": None, "sepal": "long"},
        {"petal_length": "1", "sepal": "long"},
        {"sepal": "long"},
        [1.0, "short"],
        [1.0, 1.0, "short", 1.0],
        "row",
    ],
    ids=str,
)
def test_the_schema_takes_a_row_exactly_when_the_decoder_does(
    row: object, versions: dict[str, ServableVersion]
) -> None:
    version, body = versions["columns"], {"instances": [row]}
    assert accepts(request_schema(version), body) == decodes(version, body)


def test_a_tensor_model_takes_instances_of_its_shape(versions: dict[str, ServableVersion]) -> None:
    version = versions["image"]
    image = [[[0.0] * 8] * 8] * 3
    for body in ({"instances": [image]}, {"instances": [image[:2]]}):
        assert accepts(request_schema(version), body) == decodes(version, body)


def test_a_value_that_passes_with_a_flag_is_told_in_words() -> None:
    feature = Feature("age", "int32", minimum=0.0, missing="impute", unseen="impute", categories=(1.0, 2.0), fill=1)
    assert feature_schema(feature) == {
        "type": ["integer", "null"],
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
        "description": "int32. A missing value is replaced by 1. Expected from 0; a value outside is counted and passed"
        " on. Expected one of 1.0, 2.0; any other value is counted and replaced by 1.",
    }


def decodes(version: ServableVersion, body: object) -> bool:
    try:
        decoder_of(version).decode(encoded(body))
    except RequestInvalid:
        return False
    return True


def answered(version: ServableVersion, body: object) -> object:
    decoded = decoder_of(version).decode(encoded(body))
    arm: Any = ArmOf(version)
    arm.model, arm.version, arm.variant, arm.contract = version.model, version.version, "stable", version.contract
    classes = version.contract.outputs.classes if version.contract.outputs.probabilities else ()
    arm.writer = PlainWriter(version.model, version.version, "stable", classes)
    call = Call(None, None, "plain", b"", "r", 0.0)
    call.arm, call.decoded = arm, decoded
    call.run = Run(0.0, 0.0, version.run(decoded.feeds, decoded.n), None)
    return json.loads(plain_body(call))


def decoder_of(version: ServableVersion) -> PlainDecoder:
    names = (version.model, version.version)
    return PlainDecoder(version.contract, version.inputs, LimitSettings(), names=names, ranks=version.ranks)


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()
