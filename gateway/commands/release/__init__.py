"""``weir release``: check a version against its gates, hand the report over, show what was handed over."""

__all__: list[str] = []
