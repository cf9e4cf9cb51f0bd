"""How soon a change is found at an equal rate of false pages, and whether the promised rate is kept."""

__all__: list[str] = []
