"""Thin skins over the pipeline and the control service: endpoints, middleware, the error table."""

__all__: list[str] = []
