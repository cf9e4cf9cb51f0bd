"""Drivers: which channels moved, with a bounded share of wrongly named ones.

References
----------
Wang, Ramdas, "False discovery rate control with e-values", JRSS B, 2022: holds under any dependence between channels,
for e-values that are valid at the moment one looks (a Shiryaev-Roberts value is not one).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FALSE_DISCOVERY_RATE", "named_drivers"]

FALSE_DISCOVERY_RATE = 0.1


def named_drivers(e_values_c: npt.NDArray[np.float64], rate: float = FALSE_DISCOVERY_RATE) -> npt.NDArray[np.int64]:
    """Return the channels to name, largest evidence first (e-BH).

    Parameters
    ----------
    e_values_c : (c,) float64
        An e-value for each channel.
    rate
        Largest mean share of wrongly named channels.

    Examples
    --------
    >>> named_drivers(np.array([1.0, 50.0, 3.0, 20.0, 0.2])).tolist()
    [1]
    >>> named_drivers(np.array([1.0, 50.0, 3.0, 25.0, 0.2])).tolist()
    [1, 3]
    """
    order = np.argsort(-e_values_c, kind="stable")
    needed = len(order) / (rate * np.arange(1, len(order) + 1))
    passed = np.flatnonzero(e_values_c[order] >= needed)
    return np.asarray(order[: passed[-1] + 1 if len(passed) else 0])
