"""The session that all peers share: one thread, no spinning, exactly as Weir's."""

# mypy: disable-error-code="no-any-return"
# onnxruntime has no types

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

__all__ = ["Model"]


class Model:
    """An ONNX Runtime session from (n, 30) rows to (n, 2) probabilities."""

    def __init__(self, file: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def run(self, rows: Any) -> NDArray[np.float32]:
        """Run lists of numbers or an array."""
        return self._session.run(None, {"x": np.asarray(rows, dtype=np.float32)})[0]
