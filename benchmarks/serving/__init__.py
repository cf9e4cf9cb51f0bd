"""Weir, floors and peers on the same core with the same models: who answers how many requests a second, how soon."""

__all__: list[str] = []
