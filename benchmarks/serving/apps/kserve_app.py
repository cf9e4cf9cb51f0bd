"""KServe's Python server: one worker, no gRPC, access log off, protocol V1."""

# mypy: disable-error-code="import-not-found, misc"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import sys
from typing import Any

import kserve
from inference import Model


class Predictor(kserve.Model):
    """The model behind KServe's interface."""

    def __init__(self, file: str) -> None:
        super().__init__("m")
        self.model = Model(file)
        self.ready = True

    async def predict(self, payload: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return {"probabilities": self.model.run(payload["instances"]).tolist()}


if __name__ == "__main__":
    server = kserve.ModelServer(http_port=int(sys.argv[1]), workers=1, enable_grpc=False, access_log_format=None)
    server.start([Predictor(sys.argv[2])])
