"""Triton by pytriton, its Python backend and its own dynamic batching: no figure of native Triton."""

# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from inference import Model
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def main(port: int, file: str) -> None:
    """Serve until killed."""
    model = Model(file)

    @batch
    def infer(x: Any) -> list[Any]:
        return [model.run(x)]

    config = TritonConfig(http_port=port, grpc_port=port + 1, metrics_port=port + 2, log_verbose=0)
    batching = ModelConfig(max_batch_size=128, batcher=DynamicBatcher(max_queue_delay_microseconds=2000))
    with Triton(config=config) as triton:
        triton.bind(
            model_name="m",
            infer_func=infer,
            inputs=[Tensor(name="x", dtype=np.float32, shape=(30,))],
            outputs=[Tensor(name="probabilities", dtype=np.float32, shape=(2,))],
            config=batching,
        )
        triton.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
