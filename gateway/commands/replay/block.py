"""A block of rows on its way through a replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.evidence.rows import Rows

__all__ = ["BLOCK_ROWS", "Block", "joined"]

BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows with their answers.

    Parameters
    ----------
    rows
        The rows.
    times_n : (n,)
        The time of each in Unix seconds, where the source has any.
    place
        File and line of one of them.
    """

    rows: Rows
    times_n: npt.NDArray[np.float64] | None = None
    place: Callable[[int], str] = "row {}".format


def joined(blocks: list[Block]) -> Rows:
    """Return the rows of several blocks as one."""
    values = np.concatenate([block.rows.values_nd for block in blocks])
    answers = [block.rows.answers() for block in blocks]
    scores, labels = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    return Rows(values, scores, labels)
