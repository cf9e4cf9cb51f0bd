"""Rollouts: how a new version gets its traffic, by evidence. A pure policy, and a driver that persists what it does."""

__all__: list[str] = []
