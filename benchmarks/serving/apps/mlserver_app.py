"""MLServer with a custom runtime, no parallel workers, debug off; with its adaptive batching or without."""

# mypy: disable-error-code="import-not-found, misc"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from inference import Model
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Runtime(MLModel):
    """The model behind MLServer's interface."""

    async def load(self) -> bool:
        self.model = Model(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        scores = self.model.run(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("probabilities", scores)])


def write_settings(folder: Path, port: int, file: str, *, batched: bool) -> None:
    """Write the two files that MLServer starts from."""
    server = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    folder.joinpath("settings.json").write_text(json.dumps({**server, "debug": False, "parallel_workers": 0}))
    model: dict[str, Any] = {"name": "m", "implementation": "mlserver_app.Runtime", "parameters": {"uri": file}}
    batching = {"max_batch_size": 64, "max_batch_time": 0.002} if batched else {}
    folder.joinpath("model-settings.json").write_text(json.dumps({**model, **batching}))


if __name__ == "__main__":
    settings = Path(tempfile.mkdtemp(prefix="mlserver-", dir=os.environ.get("SCRATCH")))
    write_settings(settings, int(sys.argv[1]), sys.argv[2], batched=sys.argv[3] == "batched")
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    os.execv(sys.executable, [sys.executable, "-m", "mlserver.cli.main", "start", str(settings)])
