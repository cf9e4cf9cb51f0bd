"""MLflow's scoring server over ASGI."""

from tests.http.front import Front, problem


def test_the_scoring_server_asks_the_default_model(front: Front) -> None:
    front.routes = {"m": front.routes["m"]}
    body = {"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}}
    assert front("POST", "/invocations", json=body).json() == {"predictions": [20.0, 30.0]}
    body["dataframe_split"]["data"] = [[1], ["2"]]
    document = problem(front("POST", "/invocations", json=body), 422, "input-rejected")
    assert document["errors"][0]["pointer"] == "/dataframe_split/data/1/0"
    problem(
        front("POST", "/invocations", content="x", headers={"content-type": "text/csv"}), 415, "media-type-unsupported"
    )


def test_the_scoring_server_says_how_it_is(front: Front) -> None:
    assert front("GET", "/version").text == "1.2.3"
    assert [front("GET", path).status_code for path in ("/ping", "/health")] == [503, 503]
    front.routes = {"m": front.routes["m"]}
    assert [front("GET", path).status_code for path in ("/ping", "/health")] == [200, 200]
