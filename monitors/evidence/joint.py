"""Joint channels: what no single feature shows, as numbers that do not depend on how rows were batched.

Matrix products round differently for different batch sizes. Here values and weights are rounded to whole multiples
first, so that every product and every sum is exact in float64 and a row's components depend on that row alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["SMALLEST_SCALE", "Components", "fit_components", "fitting_rows"]

COMPONENTS_AN_END = 4
CLIP = 6.0
VALUE_UNIT = 256.0
WEIGHT_UNIT = 4096.0
SMALLEST_EIGENVALUE = 1e-3
SMALLEST_SCALE = 1e-290
"""What varies less counts as constant: units of it would not be finite."""
MOST_FOR_DISTANCE = 128
NORMAL_QUARTILES = 1.349
BLOCKS, BLOCKS_A_FIT = 32, 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Largest and smallest principal components of the standardised numbers, and the distance over all of them.

    Parameters
    ----------
    centre_d, scale_d : (d,) float64
        Median, and quartile distance in units of a standard deviation: a heavy tail does not hide the rest.
    weights_dp : (d, p) float64
        Whole numbers: eigenvectors over the root of their eigenvalue, in units of 1/4096.
    shown : (k,) int64
        Which of the p components are channels.
    with_distance
        Whether the squared (Mahalanobis) distance is a channel.
    """

    centre_d: Floats
    scale_d: Floats
    weights_dp: Floats
    shown: npt.NDArray[np.int64]
    with_distance: bool
    _units_d: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_units_d", VALUE_UNIT / self.scale_d)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        names = tuple(f"component {int(p) + 1}" for p in self.shown)
        return (*names, "distance") if self.with_distance else names

    def values(self, numbers_nd: Floats) -> Floats:
        """Return the channels of rows: (n, k) float64. A missing value counts as the median. Cost: O(n d p)."""
        with np.errstate(invalid="ignore", over="ignore"):
            scaled_nd = (numbers_nd - self.centre_d) * self._units_d
        whole_nd = np.minimum(np.maximum(scaled_nd, -CLIP * VALUE_UNIT), CLIP * VALUE_UNIT)
        np.copyto(whole_nd, 0.0, where=np.isnan(whole_nd))
        components_np = np.rint(whole_nd) @ self.weights_dp
        found_nk = np.empty((len(numbers_nd), len(self.shown) + self.with_distance))
        shown = len(self.shown)
        np.divide(components_np[:, self.shown], VALUE_UNIT * WEIGHT_UNIT, out=found_nk[:, :shown])
        if self.with_distance:
            components_np /= WEIGHT_UNIT
            np.rint(components_np, out=components_np)
            np.divide(np.vecdot(components_np, components_np), VALUE_UNIT**2, out=found_nk[:, shown])
        return found_nk


def fit_components(numbers_rd: Floats) -> Components | None:
    """Return the joint channels of a reference; ``None`` with fewer than two numbers that vary.

    Components whose share of variance is below a thousandth of a feature's are left out: sums that are constant by
    construction (one-hot columns) are not measured with the precision of a float.
    """
    numbers_rd = np.where(np.isfinite(numbers_rd), numbers_rd, np.nan)
    centre_d, scale_d = _centre_and_scale(numbers_rd)
    if np.count_nonzero(np.isfinite(scale_d)) < 2:
        return None
    standard_rd = np.nan_to_num(np.clip((numbers_rd - centre_d) / scale_d, -CLIP, CLIP))
    values_p, vectors_dp = np.linalg.eigh(np.atleast_2d(np.cov(standard_rd.T)))
    kept = np.flatnonzero(values_p >= SMALLEST_EIGENVALUE)[::-1]
    weights_dp = np.rint(vectors_dp[:, kept] / np.sqrt(values_p[kept]) * WEIGHT_UNIT)
    ends = np.r_[: min(COMPONENTS_AN_END, len(kept)), max(0, len(kept) - COMPONENTS_AN_END) : len(kept)]
    shown = np.unique(ends).astype(np.int64)
    if len(kept) > MOST_FOR_DISTANCE:
        return Components(centre_d, scale_d, weights_dp[:, shown], np.arange(len(shown)), with_distance=False)
    return Components(centre_d, scale_d, weights_dp, shown, with_distance=True)


def fitting_rows(rows: int) -> npt.NDArray[np.bool_]:
    """Return which reference rows the components are fitted on: every fourth of 32 blocks.

    The others are counted. Components look better on the rows that they were fitted on than on any other, and more so
    the more features and the fewer rows there are: counted on the same rows, they would page for nothing.
    """
    return np.asarray(np.arange(rows) * BLOCKS // max(rows, BLOCKS) % BLOCKS_A_FIT == 0)


def _centre_and_scale(numbers_rd: Floats) -> tuple[Floats, Floats]:
    """Return median and spread; a constant feature has an infinite scale and so is 0 everywhere."""
    safe_rd = np.where(np.isnan(numbers_rd).all(axis=0), 0.0, numbers_rd)
    low_d, centre_d, high_d = np.nanquantile(safe_rd, [0.25, 0.5, 0.75], axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest double
        deviation_d = np.nanstd(safe_rd, axis=0)
        scale_d = np.where(high_d > low_d, (high_d - low_d) / NORMAL_QUARTILES, deviation_d)
    return centre_d, np.where(scale_d >= SMALLEST_SCALE, scale_d, np.inf)
