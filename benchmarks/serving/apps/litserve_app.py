"""LitServe: one API server process and one worker; batched in its fast queue or one row at a time."""

# mypy: disable-error-code="import-not-found, misc"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import sys
from typing import Any

import litserve
import numpy as np
from inference import Model


class Predict(litserve.LitAPI):
    """The model behind LitServe's interface; ``predict`` sees one row or a batch of them."""

    def setup(self, device: str) -> None:
        self.model = Model(sys.argv[2])

    def decode_request(self, request, **_: Any):  # type: ignore[no-untyped-def]  # LitServe reads the annotations
        return np.asarray(request["instances"][0], dtype=np.float32)

    def predict(self, x: Any, **_: Any) -> Any:
        return self.model.run(np.atleast_2d(x))

    def encode_response(self, output, **_: Any):  # type: ignore[no-untyped-def]  # as above
        return {"probabilities": np.atleast_2d(output).tolist()}


if __name__ == "__main__":
    batched = sys.argv[3] == "batched"
    options: dict[str, Any] = {"max_batch_size": 64, "batch_timeout": 0.002} if batched else {}
    server = litserve.LitServer(Predict(**options), accelerator="cpu", workers_per_device=1, fast_queue=batched)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
