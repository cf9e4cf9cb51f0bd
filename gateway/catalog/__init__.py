"""Versions on disk: the repository of models, a version's bundle with its manifest, and the digest each had first."""

__all__: list[str] = []
