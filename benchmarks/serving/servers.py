"""The catalogue: how each server is started, asked and read, and what was set to be fair to it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.serving.wire import ARRAY, BINARY, PLAIN, V2, Wire

__all__ = ["SERVERS", "Server", "locked_version"]

_APPS = Path(__file__).parent / "apps"
_LOCKED = Path(__file__).parent / "requirements"
_WEIR = ("-m", "gateway.cli", "serve", "--models", "{folder}", "--port", "{port}", "--state", "{scratch}/weir.db")
_ASGI_PATH = {"WEIR_SERVING__FAST_PATH": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One way to serve a model.

    Attributes
    ----------
    arguments : tuple of str
        What follows ``python``; ``{port}``, ``{file}``, ``{folder}``, ``{model}`` and ``{scratch}`` are filled in.
    environment : str or None
        The peer whose environment holds its packages; None is this one's.
    rows : int
        Rows a request.
    note : str
        The settings that matter, for the table's notes.
    """

    name: str
    family: Literal["floor", "weir", "peer"]
    arguments: tuple[str, ...]
    path: str = "/predict"
    wire: Wire = PLAIN
    environment: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    rows: int = 1
    models: tuple[str, ...] = ("small", "trees", "mlp", "cnn")
    optional: bool = False
    answers_constant: bool = False
    note: str = ""

    def command(self, environments: Path, **values: str) -> list[str]:
        """Return the command line."""
        python = sys.executable if self.environment is None else str(environments / self.environment / "bin/python")
        return [python, *(argument.format(**values) for argument in self.arguments)]


def _floor(name: str, script: str, note: str) -> Server:
    arguments = (str(_APPS / script), "{port}")
    return Server(
        name=name, family="floor", arguments=arguments, models=("small",), answers_constant=True, path="/", note=note
    )


def _weir(
    name: str,
    note: str,
    *,
    variables: dict[str, str] | None = None,
    path: str = "/predict/{model}",
    wire: Wire = PLAIN,
    rows: int = 1,
) -> Server:
    return Server(
        name=name,
        family="weir",
        arguments=_WEIR,
        path=path,
        wire=wire,
        variables=variables or {},
        rows=rows,
        note=note,
    )


def _peer(
    name: str, environment: str, variant: str, note: str, *, path: str = "/predict", wire: Wire = PLAIN
) -> Server:
    return Server(
        name=name,
        family="peer",
        arguments=(str(_APPS / f"{environment}_app.py"), "{port}", "{file}", variant),
        path=path,
        wire=wire,
        environment=environment,
        optional=environment in ("pytriton", "ray"),
        note=note,
    )


SERVERS = (
    _floor(
        "raw protocol", "raw_protocol.py", "uvloop and httptools, constant answer; shows what the generator can drive"
    ),
    _floor(
        "uvicorn bare ASGI", "bare_asgi.py", "uvloop, httptools, body read, constant answer, no date and server headers"
    ),
    _weir(
        "Weir", "as `weir serve` starts: supervisor, one worker, watch and shadow process on the core, everything on"
    ),
    _weir("Weir, ASGI path", "the same with `serving.fast_path: false`", variables=_ASGI_PATH),
    _weir(
        "Weir, binary x32",
        "32 rows a request as binary tensors",
        path="/v2/models/{model}/infer",
        wire=BINARY,
        rows=32,
    ),
    _peer(
        "FastAPI async def", "fastapi", "async", "uvicorn[standard], pydantic body, runs on the loop, access log off"
    ),
    _peer("FastAPI def", "fastapi", "def", "the same in the framework's threads"),
    _peer("LitServe", "litserve", "single", "one API server process, one worker, access log off"),
    _peer("LitServe batched", "litserve", "batched", "`max_batch_size=64, batch_timeout=2 ms, fast_queue=True`"),
    _peer("BentoML", "bentoml", "single", "one worker, access log and metrics off"),
    _peer("BentoML batched", "bentoml", "batched", "adaptive: `max_batch_size=128, max_latency_ms=1000`", wire=ARRAY),
    _peer(
        "MLServer",
        "mlserver",
        "single",
        "custom runtime, `parallel_workers=0`, debug off",
        path="/v2/models/m/infer",
        wire=V2,
    ),
    _peer(
        "MLServer batched",
        "mlserver",
        "batched",
        "`max_batch_size=64, max_batch_time=2 ms`",
        path="/v2/models/m/infer",
        wire=V2,
    ),
    _peer("KServe", "kserve", "single", "one worker, gRPC off, access log off", path="/v1/models/m:predict"),
    _peer(
        "Triton (pytriton)",
        "pytriton",
        "batched",
        "Python backend, dynamic batching up to 128, 2 ms; no figure of native Triton",
        path="/v2/models/m/infer",
        wire=V2,
    ),
    _peer("Ray Serve", "ray", "single", "one replica and one proxy; all daemons share the core"),
)


def locked_version(environment: str) -> str:
    """Return the version of the package that an environment is for, the first one of its requirements."""
    package = _LOCKED.joinpath(f"{environment}.in").read_text(encoding="utf-8").split()[0].partition("[")[0]
    locked = _LOCKED.joinpath(f"{environment}.txt").read_text(encoding="utf-8")
    return locked.partition(f"\n{package}==")[2].split()[0]
