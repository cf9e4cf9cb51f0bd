"""The access log: one record a request, with its id, whoever answered and however it ended."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.http.access_log import AccessLog
from gateway.http.gateway_app import GatewayApp
from gateway.http.request_counts import RequestCounts
from gateway.metrics.shared import SharedCounters
from tests.http.front import BODY, Front


@pytest.mark.parametrize(
    ("method", "path", "status", "answered"),
    [
        pytest.param("POST", "/predict/m", 200, ("1", "stable"), id="prediction"),
        pytest.param("POST", "/predict/other", 404, (None, None), id="refusal"),
        pytest.param("GET", "/livez", 200, (None, None), id="probe"),
    ],
)
def test_a_request_leaves_one_record(
    front: Front, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int, answered: tuple[str, str]
) -> None:
    front.is_logged = True
    with caplog.at_level(logging.INFO, "weir.access"):
        body = BODY if method == "POST" else None
        response = front(method, f"{path}?token=secret", json=body, headers={"x-request-id": "r-9"})
    (record,) = [record for record in caplog.records if record.name == "weir.access"]
    said = vars(record)
    assert (response.status_code, said["status"]) == (status, status)
    assert (said["request_id"], said["method"], said["path"]) == ("r-9", method, path)
    assert (said.get("version"), said.get("variant")) == answered
    assert said["duration_ms"] > 0
    assert "secret" not in str(said)


def test_a_long_path_is_cut_and_one_without_an_answer_has_status_0(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counters = SharedCounters.create(tmp_path, "w", role="worker")

    async def leaves(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    async def scenario() -> None:
        app = AccessLog(GatewayApp(None, leaves, RequestCounts(counters)))
        scope: Any = {"type": "http", "path": "/" + "a" * 9_000, "headers": [], "method": "GET", "client": None}
        with pytest.raises(asyncio.CancelledError):
            await app(scope, None, None)  # type: ignore[arg-type]  # neither is asked

    with caplog.at_level(logging.INFO, "weir.access"):
        asyncio.run(scenario())
    counters.close()
    (record,) = caplog.records
    assert vars(record)["status"] == 0
    assert len(vars(record)["request_id"]) == 16
    assert len(record.getMessage()) < 400
