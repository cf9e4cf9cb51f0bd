"""Execution providers: what is absent is refused or replaced as declared, and what is in use is asked of the session.

Absent providers are absent for real: this machine's ONNX Runtime has the CPU only. One that is present comes through
``build``, the seam.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.catalog.manifest import CudaOptions, ProviderOptions, Serving, TensorRtOptions
from gateway.engine.providers import build_session, provider_setups
from gateway.engine.session import OnnxSession, ProviderSetup, RunFailed, RunHandle
from gateway.errors import VersionRefused
from tests import models
from tests.serving import servable_of

WITH_CUDA = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
CUDA = Serving(providers=("cuda",))
CUDA_OR_CPU = Serving(providers=("cuda",), provider_fallback="cpu")


class Device:
    """A build of ONNX Runtime with a GPU: sessions run on the CPU and say that they use ``started``."""

    def __init__(self, *started: str, fails: bool = False) -> None:
        self.started, self.fails = started, fails
        self.asked: list[Sequence[ProviderSetup]] = []

    def build(self, data: bytes, external: Mapping[str, Any], **how: Any) -> OnnxSession:
        providers = how.pop("providers", None)
        self.asked.append(providers)
        if providers and self.fails:
            raise RunFailed("CUDA error 100: no device")
        session = OnnxSession(data, external, **how)
        session.providers = (*self.started, "cpu") if providers else ("cpu",)
        return session


def session_of(serving: Serving, device: Device | None = None, handle: RunHandle | None = None) -> OnnxSession:
    how: dict[str, Any] = {} if device is None else {"offered": WITH_CUDA, "build": device.build}
    return build_session(models.echo_model(), {}, serving, handle=handle, **how)


def test_without_a_wish_a_session_runs_on_the_cpu() -> None:
    assert session_of(Serving()).providers == ("cpu",)
    assert session_of(Serving(providers=("cpu",))).providers == ("cpu",)


@pytest.mark.parametrize(
    ("provider", "package"),
    [("cuda", "onnxruntime-gpu"), ("tensorrt", "onnxruntime-gpu"), ("openvino", "onnxruntime-openvino")],
)
def test_an_absent_provider_is_refused_with_what_is_there_and_what_has_it(provider: Any, package: str) -> None:
    with pytest.raises(RunFailed) as caught:
        session_of(Serving(providers=(provider,)))
    said = str(caught.value)
    assert said.startswith(f"provider {provider} is not in this build of onnxruntime, which offers ")
    assert "cpu" in said
    assert f"the package {package}" in said


def test_an_absent_provider_is_replaced_by_the_cpu_where_that_is_declared(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "weir.engine"):
        session = session_of(CUDA_OR_CPU)
    assert session.providers == ("cpu",)
    assert session.run({"x": np.ones((1, 1), np.float32)})[0].tolist() == [[1.0]]
    assert "provider cuda is not in this build" in caplog.text


def test_a_version_says_what_it_runs_on_or_why_it_does_not_load(tmp_path: Path) -> None:
    fallback = "serving: {providers: [cuda], provider_fallback: cpu}"
    assert servable_of(tmp_path / "1", models.echo_model(), manifest=fallback).provider == "cpu"
    with pytest.raises(VersionRefused, match="provider cuda is not in this build of onnxruntime"):
        servable_of(tmp_path / "2", models.echo_model(), manifest="serving: {providers: [cuda]}")


def test_a_provider_that_is_there_is_used_with_its_options() -> None:
    device = Device("tensorrt", "cuda")
    options = ProviderOptions(cuda=CudaOptions(device_id=1, use_tf32=False), tensorrt=TensorRtOptions())
    session = session_of(Serving(providers=("tensorrt", "cuda"), provider_options=options), device)
    assert session.providers == ("tensorrt", "cuda", "cpu")
    assert device.asked == [
        [
            ("TensorrtExecutionProvider", {}),
            ("CUDAExecutionProvider", {"device_id": "1", "use_tf32": "0"}),
            ("CPUExecutionProvider", {}),
        ]
    ]


@pytest.mark.parametrize("device", [Device(), Device(fails=True)], ids=["left out silently", "raises"])
def test_a_provider_that_does_not_start_is_refused_or_replaced(device: Device) -> None:
    with pytest.raises(RunFailed, match=r"did not start; the session would use cpu|no device"):
        session_of(CUDA, device)
    assert session_of(CUDA_OR_CPU, device).providers == ("cpu",)


def test_a_load_that_was_stopped_is_not_tried_again_on_the_cpu() -> None:
    device, handle = Device(fails=True), RunHandle()
    handle.terminate()
    with pytest.raises(RunFailed):
        session_of(CUDA_OR_CPU, device, handle)
    assert len(device.asked) == 1


def test_a_graph_that_loads_nowhere_is_refused_whatever_is_declared() -> None:
    with pytest.raises(RunFailed):
        build_session(b"garbage", {}, CUDA_OR_CPU)


def test_the_cpu_is_asked_for_once() -> None:
    serving = Serving(providers=("cpu", "cuda"))
    assert [name for name, _ in provider_setups(serving, WITH_CUDA)] == [
        "CPUExecutionProvider",
        "CUDAExecutionProvider",
    ]
