"""Weir's data plane and control plane: real-time ONNX inference with versions, traffic splitting and evidence."""

__all__: list[str] = []
