"""Where alert transitions go."""

__all__: list[str] = []
