"""Which version answers: the route document, the split, and the table that workers read."""

__all__: list[str] = []
