"""The gRPC server of a worker, put together from the parts that its HTTP side is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.admission.door import Door
from gateway.grpc.inference import Inference
from gateway.grpc.models import Models
from gateway.grpc.repository import Authenticate, Repository
from gateway.grpc.rpc import Guard
from gateway.grpc.rpc_counts import RpcCounts
from gateway.grpc.server import GrpcServer
from gateway.grpc.service import inference_service
from gateway.grpc.streams import Streams
from gateway.grpc.traced_guard import TracedGuard
from gateway.http.admin_access import ControlAccess
from gateway.http.probes import Readiness
from gateway.http.repository import ModelShelf
from gateway.http.statistics import ReadSeries, StatisticsReader
from gateway.http.v2 import EXTENSIONS
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.tracing.tracing import Tracing

__all__ = ["build_server"]


def build_server(
    settings: Settings,
    pipeline: Pipeline,
    door: Door,
    readiness: Readiness,
    counters: SharedCounters,
    *,
    access: ControlAccess,
    authenticate: Authenticate,
    read_series: ReadSeries,
    product_version: str,
    tracing: Tracing | None = None,
) -> GrpcServer:
    """Return a server that does not listen yet.

    Where operators have a port of their own, the repository extension is there, and not here.
    """
    streams = Streams()
    inference = Inference(
        pipeline if tracing is None else tracing.before(pipeline), door, streams, key_header=settings.routing.key_header
    )
    absent = {"binary_tensor_data"}  # raw tensors are no extension here
    methods = {}
    if settings.admin_port is None:
        methods = Repository(ModelShelf(access), authenticate).methods()
    else:
        absent.add("model_repository")
    models = Models(
        pipeline,
        readiness,
        StatisticsReader(pipeline, read_series),
        product_version=product_version,
        extensions=[name for name in EXTENSIONS if name not in absent],
    )
    counts = RpcCounts(counters)
    guard = Guard(counts) if tracing is None else TracedGuard(Guard(counts), tracing)
    service = inference_service(inference, methods | models.methods(), guard)
    return GrpcServer(settings, service, streams, counts)
