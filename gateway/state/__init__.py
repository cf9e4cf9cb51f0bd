"""Where the truth about routes, residency, alerts and audit lives."""

__all__: list[str] = []
