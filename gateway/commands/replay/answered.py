"""Rows of a table with the answers that the version itself gives to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gateway.codec.rows import RowGatherer
from gateway.commands.profiling import answers_of
from gateway.engine.version import ServableVersion
from monitors.evidence.rows import Rows

__all__ = ["RowAnswers"]


class RowAnswers:
    """Gives features of rows to a version, as its contract has them."""

    def __init__(self, version: ServableVersion) -> None:
        self._version = version
        matrix = version.inputs.get(version.contract.input_name)
        self._gatherer = RowGatherer(version.contract, version.ranks, matrix.dtype if matrix else "float32")

    def of(self, cells: list[tuple[Any, ...]]) -> Rows:
        """Return rows with their answers.

        Parameters
        ----------
        cells
            The features of each row in their order, ``None`` for missing, as the contract allows them.

        Raises
        ------
        gateway.commands.table.TableInvalid
            The model fails on them.
        """
        with np.errstate(over="raise"):
            decoded = self._gatherer.gather(cells, is_typed=False)
        assert decoded.values_nd is not None
        labels, scores = zip(*answers_of(self._version, decoded), strict=True)
        return Rows(decoded.values_nd.astype(np.float64), np.concatenate(scores), np.concatenate(labels))
