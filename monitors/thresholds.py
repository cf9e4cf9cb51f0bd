"""From which effect on the monitors speak."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Thresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Ticks, samples and effect sizes.

    Parameters
    ----------
    tick_s
        Length of a tick.
    window_ticks
        Most ticks that one judgement pools.
    minimum_rows
        Fewest rows that one judgement needs; a window ends at the newest ticks that hold them.
    drift_warn, drift_page
        Rank-space Wasserstein distance of a feature.
    missing_warn, missing_page
        Absolute difference of a share of missing, unseen or refused values.
    collapse_warn, collapse_page
        Collapse index.
    prediction_warn, prediction_page
        Largest difference of a class share, or the rank-space distance of a regression's values.
    tolerance
        Least effect, as rank-space distance, difference of a class share or collapse index, about which calibrated
        evidence speaks.
    missing_tolerance
        The same for a share of missing or unseen values.
    clear_ticks
        Consecutive calm ticks that end an alert.
    minimum_firing_s
        Shortest time from a page to its end.
    silence_s
        Absence of rows that is an alert.
    feature_series
        Most features of a version that are exported as series.
    """

    tick_s: float = 10.0
    window_ticks: int = 6
    minimum_rows: int = 200
    drift_warn: float = 0.10
    drift_page: float = 0.20
    missing_warn: float = 0.02
    missing_page: float = 0.10
    collapse_warn: float = 0.30
    collapse_page: float = 0.60
    prediction_warn: float = 0.10
    prediction_page: float = 0.25
    tolerance: float = 0.02
    missing_tolerance: float = 0.01
    clear_ticks: int = 3
    minimum_firing_s: float = 600.0
    silence_s: float = 600.0
    feature_series: int = 64

    def __post_init__(self) -> None:
        if self.tick_s <= 0 or self.window_ticks < 1 or self.minimum_rows < 1 or self.clear_ticks < 1:
            raise ValueError("tick_s, window_ticks, minimum_rows and clear_ticks must be positive")

    @property
    def tick_ms(self) -> int:
        """Length of a tick in milliseconds, at least 1."""
        return max(1, round(self.tick_s * 1000))
