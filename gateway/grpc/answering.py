"""Answers as protobuf carries them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2

from gateway.call import Call
from gateway.codec.binary import raw_bytes
from gateway.codec.tensors import datatype_of_array

__all__ = ["answered_by", "response_of"]


def response_of(call: Call) -> Any:
    """Return a ``ModelInferResponse``: the requested outputs as raw bytes, all of them when none was named."""
    decoded, servable = call.decoded, call.arm.servable
    arrays = dict(zip(servable.outputs, call.outputs.raw, strict=True))
    response = service_pb2.ModelInferResponse(
        model_name=servable.model, model_version=servable.version, id=decoded.echo_id or call.request_id
    )
    if call.arm.variant == "constant":
        response.parameters["variant"].string_param = "constant"
    for name in decoded.requested or tuple(arrays):
        array = np.asarray(arrays[name])
        response.outputs.add(name=name, datatype=datatype_of_array(array), shape=array.shape)
        response.raw_output_contents.append(bytes(raw_bytes(array)))
    return response


def answered_by(call: Call) -> dict[str, str]:
    """Return metadata that says who answered, under which route, and where the time went; as HTTP's headers do."""
    queue_ms, inference_ms, total_ms = call.queue_s * 1e3, call.inference_s * 1e3, call.total_s * 1e3
    return {
        "x-model-version": call.arm.version,
        "x-variant": call.arm.variant,
        "x-route-revision": str(call.route.revision),
        "server-timing": f"queue;dur={queue_ms:.3f}, inference;dur={inference_ms:.3f}, total;dur={total_ms:.3f}",
    }
