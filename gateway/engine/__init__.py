"""ONNX Runtime lives here and nowhere else: graphs, sessions, servable versions."""

__all__: list[str] = []
