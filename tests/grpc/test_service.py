"""The service in process: what a client's leaving does, what is counted, and what never leaves a worker."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from tritonclient.grpc import service_pb2

from gateway.engine.version import ServableVersion
from gateway.settings import AdmissionSettings
from tests import models
from tests.grpc.ground import BODY_BYTES, TOKENS, Ground, message
from tests.serving import THREADED, servable_of


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], ServableVersion]:
    folder = tmp_path_factory.mktemp("versions")
    return {
        ("m", "1"): servable_of(folder / "m" / "1", models.failing_model()),
        ("slow", "1"): servable_of(folder / "slow" / "1", models.echo_model(), serving=THREADED),
    }


@pytest.fixture
def ground(tmp_path: Path, versions: dict[tuple[str, str], ServableVersion]) -> Ground:
    return Ground(tmp_path, versions)


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    code: grpc.StatusCode = caught.value.code()
    return code


def test_a_client_that_cancels_takes_its_rows_back_and_disturbs_nobody(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        first = stub.ModelInfer(message("slow", 1.0))
        await ground.slow.until_running()
        leaving, staying = stub.ModelInfer(message("slow", 2.0, 3.0)), stub.ModelInfer(message("slow", 4.0))
        await until(lambda: ground.pipeline.gate.in_flight == 3)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await until(lambda: ground.ended("ModelInfer") == {"CANCELLED": 1})
        ground.slow.open()
        assert [(await call).raw_output_contents for call in (first, staying)]
        assert ground.slow.rows_run == [1, 1]

    ground.run(scenario)
    assert ground.ended("ModelInfer") == {"CANCELLED": 1, "OK": 2}
    assert ground.pipeline.gate.in_flight == 0


def test_a_stream_whose_client_leaves_is_taken_back(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(stub: Any) -> None:
        stream = stub.ModelStreamInfer()
        await stream.write(message("slow", 1.0))
        await ground.slow.until_running()
        await stream.write(message("slow", 2.0))
        await until(lambda: ground.pipeline.gate.in_flight == 2)
        stream.cancel()
        await until(lambda: ground.pipeline.gate.in_flight == 0)
        ground.slow.open()
        await until(lambda: ground.ended("ModelStreamInfer") == {"CANCELLED": 1})

    with caplog.at_level(logging.WARNING):
        ground.run(scenario)
    assert ground.slow.rows_run == [1]
    assert caplog.messages == []


def test_messages_of_a_stream_have_ids_of_their_own(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        stream = stub.ModelStreamInfer(metadata=(("x-request-id", "mine"),))
        for _ in range(2):
            await stream.write(message())
        await stream.done_writing()
        assert [answer.infer_response.id async for answer in stream] == ["mine.1", "mine.2"]
        assert dict(await stream.trailing_metadata())["x-request-id"] == "mine"

    ground.run(scenario)
    assert ground.ended("ModelStreamInfer") == {"OK": 1}


def test_a_run_that_fails_is_told_in_the_stream(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        stream = stub.ModelStreamInfer()
        for row in (9.0, 2.0):
            await stream.write(message("m", row, id=f"row {row:g}"))
        await stream.done_writing()
        failed, answered = [answer async for answer in stream]
        assert "failed on this input" in failed.error_message
        assert (failed.infer_response.id, answered.infer_response.id) == ("row 9", "row 2")
        assert answered.error_message == ""

    ground.run(scenario)


def test_a_message_above_the_limit_is_refused_unread(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        large = message()
        large.raw_input_contents.append(bytes(BODY_BYTES))
        assert await code_of(stub.ModelInfer(large)) is grpc.StatusCode.RESOURCE_EXHAUSTED

    ground.run(scenario)
    assert ground.ended("ModelInfer") == {}


def test_an_unexpected_failure_is_logged_with_its_id_and_told_without_details(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(stub: Any) -> None:
        ground.slow.loses_outputs = True
        ground.slow.open()
        call = stub.ModelInfer(message("slow"), metadata=(("x-request-id", "mine"),))
        assert await code_of(call) is grpc.StatusCode.INTERNAL
        assert (await call.details(), dict(await call.trailing_metadata())["x-request-id"]) == (
            "the gateway failed",
            "mine",
        )

    ground.run(scenario)
    assert "request mine to ModelInfer failed" in caplog.messages


def test_draining_lets_go_of_the_port_and_finishes_what_is_under_way(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        under_way = stub.ModelInfer(message("slow", 5.0))
        await ground.slow.until_running()
        ground.server.drain()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", ground.settings.grpc_port)
        assert (await stub.ServerLive(service_pb2.ServerLiveRequest())).live  # who is connected is still answered
        ground.slow.open()
        assert (await under_way).raw_output_contents

    ground.run(scenario)
    assert ground.ended("ModelInfer") == {"OK": 1}


@pytest.mark.parametrize("token", [None, "other"])
@pytest.mark.parametrize("rpc", ["RepositoryModelLoad", "RepositoryModelUnload"])
def test_nobody_changes_anything_without_the_token(ground: Ground, rpc: str, token: str | None) -> None:
    async def scenario(stub: Any) -> None:
        metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        asked = getattr(service_pb2, f"{rpc}Request")(model_name="m")
        assert await code_of(getattr(stub, rpc)(asked, metadata=metadata)) is grpc.StatusCode.UNAUTHENTICATED

    ground.run(scenario)


@pytest.mark.parametrize("rpc", ["RepositoryModelLoad", "RepositoryModelUnload"])
def test_only_operators_and_admins_change_anything(ground: Ground, rpc: str) -> None:
    async def scenario(stub: Any) -> None:
        asked = getattr(service_pb2, f"{rpc}Request")(model_name="nowhere")
        for text, code in [
            (TOKENS["viewer"][0], grpc.StatusCode.PERMISSION_DENIED),
            (TOKENS["approver"][0], grpc.StatusCode.PERMISSION_DENIED),
            (TOKENS["operator"][0], grpc.StatusCode.NOT_FOUND),
            (TOKENS["admin"][0], grpc.StatusCode.NOT_FOUND),
        ]:
            call = getattr(stub, rpc)(asked, metadata=(("authorization", f"Bearer {text}"),))
            assert await code_of(call) is code
            if code is grpc.StatusCode.PERMISSION_DENIED:
                assert "needs the role operator" in await call.details()

    ground.run(scenario)


@pytest.mark.parametrize("name", ["config", "file:1/model.onnx"])
def test_nobody_brings_a_model_along(ground: Ground, name: str) -> None:
    async def scenario(stub: Any) -> None:
        asked = service_pb2.RepositoryModelLoadRequest(model_name="m")
        asked.parameters[name].bytes_param = b"e30="
        call = stub.RepositoryModelLoad(asked, metadata=(("authorization", "Bearer t"),))
        assert await code_of(call) is grpc.StatusCode.INVALID_ARGUMENT
        assert f"parameter {name!r} is refused" in await call.details()

    ground.run(scenario)


def test_there_is_one_repository_without_a_name(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        asked = service_pb2.RepositoryIndexRequest(repository_name="other")
        assert await code_of(stub.RepositoryIndex(asked)) is grpc.StatusCode.INVALID_ARGUMENT

    ground.run(scenario)


def test_a_client_over_its_quota_is_refused_alone(
    tmp_path: Path, versions: dict[tuple[str, str], ServableVersion]
) -> None:
    ground = Ground(tmp_path, versions, AdmissionSettings(quota_requests_per_s=0.001, quota_burst=2))

    async def scenario(stub: Any) -> None:
        for _ in range(2):
            await stub.ModelInfer(message())
        refused = stub.ModelInfer(message())
        assert await code_of(refused) is grpc.StatusCode.RESOURCE_EXHAUSTED
        told = dict(await refused.trailing_metadata())
        assert (told["weir-problem"], told["weir-reason"]) == ("urn:weir:problem:quota-exceeded", "quota")
        assert int(told["retry-after"]) > 0
        stream = stub.ModelStreamInfer()
        await stream.write(message())
        await stream.done_writing()
        assert ["quota" in answer.error_message async for answer in stream] == [True]

    ground.run(scenario)
    assert ground.ended("ModelInfer") == {"OK": 2, "RESOURCE_EXHAUSTED": 1}


def test_priority_and_deadline_reach_the_pipeline(ground: Ground) -> None:
    async def scenario(stub: Any) -> None:
        late = message("slow", 1.0)
        late.parameters["timeout"].int64_param = 50_000
        assert await code_of(stub.ModelInfer(late)) is grpc.StatusCode.DEADLINE_EXCEEDED
        soon = stub.ModelInfer(message("slow", 1.0), metadata=(("x-request-deadline-ms", "50"),))
        assert await code_of(soon) is grpc.StatusCode.DEADLINE_EXCEEDED
        wrong = message()
        wrong.parameters["priority"].string_param = "high"
        assert await code_of(stub.ModelInfer(wrong)) is grpc.StatusCode.INVALID_ARGUMENT

    ground.run(scenario)


async def until(holds: Any) -> None:
    """Let the loop and gRPC's own threads go on until a condition holds."""
    async with asyncio.timeout(20.0):
        while not holds():  # noqa: ASYNC110  # what is waited for happens in other threads
            await asyncio.sleep(0.005)
