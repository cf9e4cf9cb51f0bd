"""The e-detector: Shiryaev-Roberts sums over all alternatives of all channels, and an e-process for each channel.

With L the fair ratio of a summary, every component follows M <- L (M + w), w its weight. Unchanged data adds at most w
to its mean a summary, so the weighted sum of components that starts at 0 has a mean of at most t after t summaries,
whatever the dependence between channels: threshold A is crossed no more than once in A summaries on average, and when
all components of that sum restart at a page, T summaries hold at most T / A pages in the mean. Sums with a budget each
restart each at their own pages: one that pages again and again does not keep another from speaking.

A change that grows (a slow ramp) needs no bet of its own: larger sizes start anew at every summary. Handing evidence on
from smaller to larger bets ("fixed share") was measured and gained nothing.

References
----------
Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England Journal of
Statistics in Data Science, 2024. Roberts, "A comparison of some control chart procedures", Technometrics, 1966.
Shiryaev, "On optimum methods in quickest detection problems", 1963.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["EDetector"]

LARGEST_STEP_NATS = 300.0
LARGEST = 1e280

Floats = npt.NDArray[np.float64]


class EDetector:
    """Components of one or many streams (replicas), restarted by the caller at a page.

    Parameters
    ----------
    weights_ck : (c, k) float64
        Weights of each channel's alternatives; they sum to one.
    replicas
        Leading axes of the state: ``()`` for one stream, ``(n,)`` for n simulated ones.

    Notes
    -----
    State: 2 c k numbers a stream, however long it runs. Values live between 0 and 1e280: a component can only be larger
    where nobody restarts it. Cost of an update: O(c k), one exponential a component.

    Examples
    --------
    >>> detector = EDetector(np.array([[1.0]]))
    >>> for _ in range(3):
    ...     detector.update(np.array([[np.log(2.0)]]))
    >>> detector.sums_c().tolist(), detector.e_values_c().round(2).tolist()
    ([14.0], [5.08])
    """

    def __init__(self, weights_ck: Floats, replicas: tuple[int, ...] = ()) -> None:
        self._weights_ck = weights_ck
        self.replicas = replicas
        self._state: Floats = np.zeros((*replicas, 2, *weights_ck.shape))
        self._summaries: npt.NDArray[np.int64] = np.zeros((*replicas, len(weights_ck)), dtype=np.int64)

    def reset(self, which: npt.NDArray[np.bool_] | None = None) -> None:
        """Restart all components, or those of some replicas."""
        if which is not None:
            self._state[which] = 0.0
            self._summaries[which] = 0
            return
        self._state[...] = 0.0
        self._summaries[...] = 0

    def reset_channels(self, which_c: npt.NDArray[np.bool_]) -> None:
        """Restart the components of some channels, of all replicas (c,) or of each its own (..., c)."""
        which_c = np.broadcast_to(which_c, self._summaries.shape)
        self._state[np.broadcast_to(which_c[..., None, :], self._state.shape[:-1])] = 0.0
        self._summaries[which_c] = 0

    def update(self, log_ratios_ck: Floats) -> None:
        """Take one summary.

        Parameters
        ----------
        log_ratios_ck : (..., c, k) float64
            Log-ratio of the summary under each alternative.
        """
        t_c = self._summaries + 1.0
        ratios_ck = np.minimum(log_ratios_ck, LARGEST_STEP_NATS)
        np.exp(ratios_ck, out=ratios_ck)
        self._state[..., 0, :, :] += self._weights_ck
        self._state[..., 1, :, :] += (1.0 / (t_c * (t_c + 1.0)))[..., None] * self._weights_ck
        self._state *= ratios_ck[..., None, :, :]
        if self._state.max(initial=0.0) > LARGEST:
            np.minimum(self._state, LARGEST, out=self._state)
        self._summaries += 1

    def sums_c(self) -> Floats:
        """Return the Shiryaev-Roberts value of each channel: (..., c); its mean is at most the number of summaries."""
        return np.asarray(self._state[..., 0, :, :].sum(axis=-1))

    def e_values_c(self) -> Floats:
        """Return for each channel an e-value, valid whenever one looks (at a page, too): (..., c).

        It is the mixture over starting points j of products of ratios from j on, with weights 1 / (j (j + 1)); starting
        points to come count with the rest of the weight, 1 / (t + 1).
        """
        return np.asarray(self._state[..., 1, :, :].sum(axis=-1) + 1.0 / (self._summaries + 1.0))

    def state(self) -> dict[str, Any]:
        """Return all that changes, as arrays."""
        return {"components": self._state.copy(), "summaries": self._summaries.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises
        ------
        ValueError
            When it belongs to other channels or alternatives, or holds what no detector can.
        """
        components = np.array(state["components"], dtype=np.float64)
        if components.shape != self._state.shape:
            raise ValueError(f"state of shape {components.shape}, expected {self._state.shape}")
        summaries = np.array(state["summaries"], dtype=np.int64)
        if summaries.shape != self._summaries.shape or not ((components >= 0) & (components <= LARGEST)).all():
            raise ValueError(f"components that are no numbers from 0 to {LARGEST:g}")
        if (summaries < 0).any():
            raise ValueError("summaries that are fewer than none")
        self._state, self._summaries = components, summaries
