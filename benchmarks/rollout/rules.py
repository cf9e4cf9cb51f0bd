"""What Weir is compared with: thresholds on a window of the last five minutes, as rollout controllers use them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.rollout.traffic import Block

__all__ = ["RULES", "Window", "WindowRules"]

MINUTES = 5
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Window:
    """Requests and failures of both arms, and their 95 % quantiles of latency, over the window."""

    canary: int
    canary_failed: int
    stable: int
    stable_failed: int
    canary_p95_s: float
    stable_p95_s: float

    @property
    def canary_rate(self) -> float:
        """Share of the canary's requests that failed."""
        return self.canary_failed / max(1, self.canary)

    @property
    def stable_rate(self) -> float:
        """Share of stable's requests that failed."""
        return self.stable_failed / max(1, self.stable)


RULES: dict[str, Callable[[Window], bool]] = {
    "errors above 5 %": lambda w: w.canary_rate > 0.05,
    "errors above twice stable's": lambda w: w.canary_rate > 2 * max(w.stable_rate, 0.001),
    "p95 above 1.25 times stable's": lambda w: w.canary_p95_s > 1.25 * w.stable_p95_s,
}
"""Each is asked after every block in which the canary had at least 20 requests in the window."""


class WindowRules:
    """Say which rules have fired so far, and after how many requests of the canary."""

    def __init__(self, block_s: float) -> None:
        self._blocks: deque[Block] = deque(maxlen=round(60.0 * MINUTES / block_s))
        self._requests = 0
        self.fired: dict[str, int] = {}

    def add(self, block: Block) -> None:
        """Take a block."""
        self._blocks.append(block)
        self._requests += int(block.is_canary_n.sum())
        window = self._window()
        if window.canary >= FEWEST:
            for name, rule in RULES.items():
                if name not in self.fired and rule(window):
                    self.fired[name] = self._requests

    def _window(self) -> Window:
        canary_n = np.concatenate([block.is_canary_n for block in self._blocks])
        failed_n = np.concatenate([block.failed_n for block in self._blocks])
        durations_n = np.concatenate([block.durations_n for block in self._blocks])

        def p95_s(is_arm_n: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
            return float(np.quantile(durations_n[is_arm_n], 0.95)) if is_arm_n.any() else 0.0

        return Window(
            canary=int(canary_n.sum()),
            canary_failed=int((canary_n & failed_n).sum()),
            stable=int((~canary_n).sum()),
            stable_failed=int((~canary_n & failed_n).sum()),
            canary_p95_s=p95_s(canary_n),
            stable_p95_s=p95_s(~canary_n),
        )
