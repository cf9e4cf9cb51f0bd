"""The gates, one a file: each looks at an examination and says pass, fail or skipped, why, and what it measured."""

__all__: list[str] = []
