"""The Open Inference Protocol over gRPC: thin RPCs over the pipeline. Needs the extra ``weir[grpc]``."""

__all__: list[str] = []
