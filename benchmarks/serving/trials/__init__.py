"""Weir alone, in trouble: overload, broken versions, reloads, more cores, and ten minutes of bad clients."""

__all__: list[str] = []
