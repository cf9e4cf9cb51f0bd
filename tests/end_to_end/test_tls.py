"""The port speaks HTTPS, on the fast path and beside it, to clients and to the command; and stops as politely."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.certificates import make_certificate
from tests.end_to_end.running import TOKEN, RunningGateway
from tests.models import multi_output, write_bundle


def test_everything_is_spoken_over_tls(tmp_path: Path) -> None:
    write_bundle(tmp_path / "models" / "m" / "1", multi_output())
    made = make_certificate(tmp_path)
    flags = ("--tls-cert", str(made.cert), "--tls-key", str(made.key))
    environ = {"WEIR_SERVING__DRAIN_S": "3600"}  # a silent connection that held up the stop would do so for an hour
    with RunningGateway(
        tmp_path / "models", tmp_path / "weir.db", *flags, environ=environ, ca_file=made.cert
    ) as gateway:
        with gateway.client() as client:
            for _ in range(20):
                assert client.post("/predict/m", json={"instances": [[1, 2, 3]]}).status_code == 200
            assert client.post("/predict/m", content=b"{", headers={"transfer-encoding": "chunked"}).status_code == 400
            gateway.wait_until(lambda: client.get("/metrics").status_code == 200, "watched")
        assert command(gateway, "--ca-file", str(made.cert)).returncode == 0
        refused = command(gateway)
        assert (refused.returncode, "CERTIFICATE_VERIFY_FAILED" in refused.stderr) == (1, True)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(gateway.url.replace("https", "http") + "/livez")
        stop_while_asked(gateway)


def command(gateway: RunningGateway, *flags: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "audit", "--url", gateway.url, *flags],
        env={"WEIR_ADMIN_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
    )


def stop_while_asked(gateway: RunningGateway) -> None:
    """Stop the gateway while a client asks without a pause; it must see nothing but answers, then a closed port."""
    statuses: set[int] = set()
    errors: list[str] = []
    asked = threading.Event()

    def ask() -> None:
        with gateway.client() as client:
            while not errors:
                try:
                    statuses.add(client.post("/predict/m", json={"instances": [[1, 2, 3]]}).status_code)
                    asked.set()
                except httpx.TransportError as error:
                    errors.append(type(error).__name__)

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait(10.0)
    with socket.create_connection(("127.0.0.1", gateway.port)):  # one that never says a word
        assert gateway.stop() == 0
    thread.join(10.0)
    assert (statuses, errors) == ({200}, ["ConnectError"])
    assert '"error"' not in gateway.log.read_text()
