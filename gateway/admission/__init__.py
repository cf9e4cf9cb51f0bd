"""Admission: who asks, how much it may ask, how urgent it is, and whether the worker can take it now."""

__all__: list[str] = []
