"""What the OpenAPI document says holds for a gateway that runs, whatever its clients send."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tests import loopback, models
from tests.end_to_end.running import TOKEN, RunningGateway

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
SCHEMAS_ARE_EXACT = [*CHECKS, positive_data_acceptance, negative_data_rejection]
EXACT = ("/predict/rows", "/predict/columns", "/predict/tried")
Operation = APIOperation[Any, Any, Any, Any]
ENDLESS = "/admin/v1/events"
"""Its answers have no end, and tests of their own."""
NAMES = {
    "model": ["rows", "columns", "tried"],
    "version": ["1", "2"],
    "alert": ["0123456789abcdef"],
    "file": ["app.js", "style.css"],
    "token": ["0123456789ab"],
}
MANY = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
PATIENCE_S = 60.0
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder, state = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("state") / "weir.db"
    models.write_bundle(folder / "rows" / "1", models.matrix_classifier())
    models.write_bundle(folder / "columns" / "1", models.columns_classifier())
    for version in ("1", "2"):
        models.write_bundle(folder / "tried" / version, models.regressor())
    with RunningGateway(folder, state, workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def document(gateway: RunningGateway) -> dict[str, Any]:
    """Give the document as it is served, but that names in paths are mostly names of what exists."""
    found: dict[str, Any] = loopback.get(f"{gateway.url}/openapi.json").json()
    for item in found["paths"].values():
        for parameter in item.get("parameters", ()):
            parameter["schema"] = {"anyOf": [{"enum": NAMES[parameter["name"]]}] * 3 + [parameter["schema"]]}
    return found


@pytest.fixture(scope="module")
def api(document: dict[str, Any], gateway: RunningGateway) -> OpenApiSchema:
    return schema_of(document, gateway)


@pytest.fixture(scope="module")
def bodies(document: dict[str, Any], gateway: RunningGateway) -> OpenApiSchema:
    """Give the paths of the models alone, with bodies and nothing else."""
    posts = {path: {"post": {**document["paths"][path]["post"], "parameters": []}} for path in EXACT}
    return schema_of({**document, "paths": posts}, gateway)


def schema_of(document: dict[str, Any], gateway: RunningGateway) -> OpenApiSchema:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=gateway.url, request_timeout=PATIENCE_S)
    return schema


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_every_answer_is_described(api: OpenApiSchema, mode: GenerationMode) -> None:
    asked = [operation for operation in operations(api) if has_form(operation, mode)]
    assert [told for operation in asked for told in complaints(operation, mode, CHECKS)] == []


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_a_models_schema_takes_what_the_model_takes(bodies: OpenApiSchema, mode: GenerationMode) -> None:
    assert [told for operation in operations(bodies) for told in complaints(operation, mode, SCHEMAS_ARE_EXACT)] == []


def operations(api: OpenApiSchema) -> list[Operation]:
    found = [unwrapped(found) for found in api.get_all_operations()]
    return [operation for operation in found if operation.path != ENDLESS]


def has_form(operation: Operation, mode: GenerationMode) -> bool:
    """Return whether a call can be as wrong as the mode wants: any text will do for a name in a path."""
    wrong = (operation.body, operation.query, operation.headers, operation.cookies)
    return mode is GenerationMode.POSITIVE or any(map(bool, wrong))


def unwrapped(found: Any) -> Operation:
    operation: Operation = found.ok()
    return operation


def complaints(operation: Operation, mode: GenerationMode, checks: list[Any]) -> Iterator[str]:
    """Call an operation in many ways; give what was wrong first."""

    @MANY
    @given(case=operation.as_strategy(generation_mode=mode))
    def every_call(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=checks, headers=AUTHORIZED)

    try:
        every_call()
    except (Exception, FailureGroup) as error:
        yield f"{operation.label}: {error}"
