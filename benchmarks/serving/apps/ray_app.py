"""Ray Serve: one replica, one proxy, all of Ray's daemons on the same core, which is hard on it."""

# mypy: disable-error-code="attr-defined, import-not-found, misc, untyped-decorator"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import signal
import sys

import ray
from inference import Model
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.1})
class Predict:
    """The model behind Ray Serve's interface."""

    def __init__(self, file: str) -> None:
        self.model = Model(file)

    async def __call__(self, request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"probabilities": self.model.run(body["instances"]).tolist()})


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config={"enable_access_log": False}
    )
    serve.run(Predict.bind(sys.argv[2]), route_prefix="/predict")
    signal.pause()
