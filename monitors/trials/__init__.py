"""Sequential tests of two arms: is a candidate worse than the version that serves? Counts in, verdicts out."""

__all__: list[str] = []
