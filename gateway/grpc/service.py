"""The service ``inference.GRPCInferenceService``: every RPC that the protocol has, answered or refused in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

from gateway.errors import MethodUnsupported
from gateway.grpc.inference import Inference
from gateway.grpc.rpc import Method, Rpc, RunsMethods

__all__ = ["inference_service"]

_INSTEAD = {
    "ModelConfig": "ModelMetadata",
    "TraceSetting": "the settings of the server, which no client changes",
    "LogSettings": "the settings of the server, which no client changes",
    "RepositoryIndex": "POST /v2/repository/index on the admin port",
    "RepositoryModelLoad": "POST /v2/repository/models/MODEL/load on the admin port",
    "RepositoryModelUnload": "POST /v2/repository/models/MODEL/unload on the admin port",
}
_NO_SHARED_MEMORY = "raw_input_contents, since no memory is shared"


def inference_service(inference: Inference, methods: Mapping[str, Method], guard: RunsMethods) -> Any:
    """Return the service as a generic handler of gRPC's.

    Parameters
    ----------
    methods
        What is answered beside inference, by the protocol's names; the rest of the protocol is refused.
    """
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    answered = {"ModelInfer": inference.infer, **methods}
    handlers = {
        described.name: _unary(described, answered.get(described.name) or _refused(described.name), guard)
        for described in service.methods
        if not described.client_streaming
    }
    handlers["ModelStreamInfer"] = _stream(inference, guard)
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _unary(described: Any, method: Method, guard: RunsMethods) -> Any:
    asked = getattr(service_pb2, described.input_type.name)
    answer = getattr(service_pb2, described.output_type.name)
    run = partial(guard.run, described.name, method)
    return grpc.unary_unary_rpc_method_handler(run, asked.FromString, answer.SerializeToString)


def _stream(inference: Inference, guard: RunsMethods) -> Any:
    async def run(requests: AsyncIterator[Any], context: Any) -> None:
        await guard.run("ModelStreamInfer", partial(_streamed, inference, context), requests, context)

    parse, encode = service_pb2.ModelInferRequest.FromString, service_pb2.ModelStreamInferResponse.SerializeToString
    return grpc.stream_stream_rpc_method_handler(run, parse, encode)


async def _streamed(inference: Inference, context: Any, requests: AsyncIterator[Any], rpc: Rpc) -> None:
    await inference.stream(aiter(requests), context.write, rpc)


def _refused(name: str) -> Method:
    async def method(_request: Any, _rpc: Rpc) -> Any:
        raise MethodUnsupported(name, _INSTEAD.get(name, _NO_SHARED_MEMORY))

    return method
