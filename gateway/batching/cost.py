"""What a run costs, kept current: the curve of the warm-up, corrected by every run since."""

from __future__ import annotations

from gateway.engine.timing import RateCurve

__all__ = ["CostModel"]

_LEARNS = 1 / 12
_CLIP = 0.5
_LEAST_CLASSES = 14
_LEAST_S = 1e-9


class CostModel:
    """Seconds of a run by its rows: lines between powers of two, each learned, times one factor, learned too.

    The factor follows what concerns every run, such as a busy neighbour; the powers of two follow what concerns some
    sizes, such as rows that take other paths than those of the warm-up. A straight line a + b n cannot follow a model
    whose large batches fall out of the cache, and a factor alone keeps a wrong shape for ever. An error of more than
    half counts as half, so that one run that was kept from the processor is hardly noticed.

    Parameters
    ----------
    curve
        What the warm-up measured.
    most
        Rows of the largest batch; larger requests are learned up to 2^14 rows.

    Notes
    -----
    Not safe from several threads: all calls on the event loop. ``observe`` and ``estimate`` take less than a
    microsecond. Memory: one number a power of two.

    Examples
    --------
    >>> cost = CostModel(RateCurve.of([(1, 1e-3), (128, 9e-3)]), most=128)
    >>> for _ in range(40): cost.observe(64, 0.015)
    >>> round(cost.estimate(64), 4)
    0.015
    """

    __slots__ = ("_factor", "_nodes", "_top")

    def __init__(self, curve: RateCurve, most: int) -> None:
        classes = max(most.bit_length(), _LEAST_CLASSES) + 3
        self._nodes = [curve.seconds(1 << k) for k in range(classes)]
        self._top = classes - 4
        self._factor = 1.0

    def estimate(self, rows: int) -> float:
        """Return the seconds that a run of so many rows is expected to take; never less for more rows."""
        if rows < 1:
            rows = 1
        k = rows.bit_length() - 1
        if k > self._top:
            k = self._top
        low_s = self._nodes[k]
        return self._factor * (low_s + (rows / (1 << k) - 1.0) * (self._nodes[k + 1] - low_s))

    def observe(self, rows: int, seconds: float) -> None:
        """Take a run into account: the last dozen or so decide."""
        if rows < 1:
            rows = 1
        if seconds < _LEAST_S:
            seconds = _LEAST_S
        k = rows.bit_length() - 1
        if k > self._top:
            k = self._top
        nodes = self._nodes
        low_s, high_s = nodes[k], nodes[k + 1]
        above = rows / (1 << k) - 1.0
        error = seconds / (self._factor * (low_s + above * (high_s - low_s))) - 1.0
        learned = _LEARNS * (_CLIP if error > _CLIP else -_CLIP if error < -_CLIP else error)
        self._factor *= 1.0 + learned
        self._bend(k, above if above < 1.0 else 1.0, learned)

    def _bend(self, k: int, above: float, learned: float) -> None:
        """Learn at the two sizes that the run lies between, and less at the next ones, which may not be seen again."""
        nodes = self._nodes
        half = learned / 2
        if k:
            nodes[k - 1] *= 1.0 + (1.0 - above) * half
        low_s = nodes[k] = nodes[k] * (1.0 + (2.0 - above) * half)
        high_s = nodes[k + 1] = nodes[k + 1] * (1.0 + (1.0 + above) * half)
        next_s = nodes[k + 2] = nodes[k + 2] * (1.0 + above * half)
        if learned > 0.0:
            if not low_s <= high_s <= next_s <= nodes[k + 3]:
                self._lift(k)
        elif low_s > high_s or (k and nodes[k - 1] > low_s) or (k > 1 and nodes[k - 2] > nodes[k - 1]):
            self._lower(k + 1)

    def rows_within(self, seconds: float, most: int) -> int:
        """Return the most rows, up to ``most``, whose run is expected within so many seconds; 0 if one row is not."""
        if self.estimate(1) > seconds:
            return 0
        low, high = 1, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.estimate(middle) <= seconds else (low, middle - 1)
        return low

    def _lift(self, k: int) -> None:
        """Let no run larger than 2^k rows be cheaper."""
        nodes = self._nodes
        for j in range(k + 1, len(nodes)):
            if nodes[j] < nodes[j - 1]:
                nodes[j] = nodes[j - 1]

    def _lower(self, k: int) -> None:
        """Let no run smaller than 2^k rows be dearer."""
        nodes = self._nodes
        for j in range(k - 1, -1, -1):
            if nodes[j] > nodes[j + 1]:
                nodes[j] = nodes[j + 1]
