"""The verbs of the ``weir`` command, one file a group; each registers itself on the application of ``gateway.cli``."""

__all__: list[str] = []
