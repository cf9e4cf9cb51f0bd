"""Statistics over what the gateway answered: summaries, effects, alerts. Never imports the gateway."""

__all__: list[str] = []
