"""KServe's first protocol over ASGI."""

import pytest

from tests.http.front import BODY, Front, protocol_error


def test_the_first_protocol_of_kserve_predicts(front: Front) -> None:
    response = front("POST", "/v1/models/m:predict", json=BODY)
    assert (response.status_code, response.json()) == (200, {"predictions": [20.0, 30.0]})
    assert response.headers["x-model-version"] == "1"
    labels = front("POST", "/v1/models/iris:predict", json={"instances": [[0.0] * 4]}).json()
    assert len(labels["predictions"]) == 1
    assert list(labels) == ["predictions"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v1/models/nothing:predict", 404, "nothing"),
        ("POST", "/v1/models/m:predict", 400, "/instances"),
        ("POST", "/v1/models/m:explain", 405, "POST"),
        ("GET", "/v1/models/m:predict", 405, "GET"),
        ("GET", "/v1/models/nothing", 404, "nothing"),
        ("GET", "/v1/models/m/metadata", 404, "/v1/models/m/metadata"),
    ],
)
def test_errors_of_the_first_protocol_have_its_own_body(
    front: Front, method: str, path: str, status: int, words: str
) -> None:
    response = front(method, path, **({"json": {}} if method == "POST" else {}))
    assert words in protocol_error(response, status)


def test_the_first_protocol_lists_models_and_their_readiness(front: Front) -> None:
    assert front("GET", "/v1/models").json() == {"models": ["gone", "iris", "m"]}
    assert front("GET", "/v1/models/m").json() == {"name": "m", "ready": True}
    gone = front("GET", "/v1/models/gone")
    assert (gone.status_code, gone.json()) == (503, {"name": "gone", "ready": False})
