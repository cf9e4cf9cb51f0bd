"""The prediction log: sampled answers and failures as rotating JSON Lines, written behind the tap by the watch."""

__all__: list[str] = []
