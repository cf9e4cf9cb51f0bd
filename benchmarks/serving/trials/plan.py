"""How long and where trials measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run of trials.

    Attributes
    ----------
    scale : float
        Multiplies the length of every stretch; 1 is the calm run, a tenth or less tries the code.
    cores : tuple of int
        Cores of the machine: the first is the server's, the last the generator's.
    folder : Path
        Where models and results lie.
    """

    scale: float
    minutes: float
    round: int
    cores: tuple[int, ...]
    folder: Path
    deadline_ms: int = 1000

    @property
    def core(self) -> int:
        """The server's core."""
        return self.cores[0]

    def seconds(self, calm_s: float, least_s: float = 0.5) -> float:
        """Return the length of a stretch that is ``calm_s`` in a calm run."""
        return max(calm_s * self.scale, least_s)
