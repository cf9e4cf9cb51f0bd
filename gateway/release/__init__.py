"""Release gates: what a version must show before it may take traffic, checked against the one that serves now."""

__all__: list[str] = []
