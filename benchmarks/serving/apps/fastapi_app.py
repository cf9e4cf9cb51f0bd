"""FastAPI with a pydantic body; the endpoint is ``async def`` (runs on the loop) or ``def`` (runs in its threads)."""

# mypy: disable-error-code="import-not-found, misc, unused-ignore"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from inference import Model
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    """One request."""

    instances: list[list[float]]


def build(file: str, *, on_loop: bool) -> FastAPI:
    """Return the application for one model."""
    model = Model(file)

    def predict(body: Body) -> dict[str, list[list[float]]]:
        return {"probabilities": model.run(body.instances).tolist()}

    async def predict_on_loop(body: Body) -> dict[str, list[list[float]]]:
        return predict(body)

    app.post("/predict")(predict_on_loop if on_loop else predict)
    return app


if __name__ == "__main__":
    application = build(sys.argv[2], on_loop=sys.argv[3] == "async")
    uvicorn.run(application, port=int(sys.argv[1]), access_log=False, log_level="warning")
