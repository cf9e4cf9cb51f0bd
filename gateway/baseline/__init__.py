"""Accepted baselines: the traffic that an operator calls normal, which drift is measured against from then on."""

__all__: list[str] = []
