"""One dashboard a module: which panels it has in which rows, as its ``BOARD``."""

__all__: list[str] = []
