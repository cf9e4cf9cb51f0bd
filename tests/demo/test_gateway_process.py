import asyncio
import socket
import sys
from pathlib import Path

import httpx
import pytest

from gateway.demo.gateway_process import GatewayDied, GatewayPlan, GatewayProcess, free_port
from tests import loopback

READY_SERVER = """
import http.server, os, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["WEIR_MONITOR__TICK_S"].encode())
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""


def plan_for(folder: Path, source: str) -> GatewayPlan:
    return GatewayPlan(folder, folder / "models", free_port(0), "phishing=1", program=(sys.executable, "-c", source))


def test_the_gateway_is_started_and_stopped_again(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, READY_SERVER)
    (tmp_path / "weir.db-wal").touch()

    async def live() -> str:
        async with GatewayProcess(plan, environment={"WEIR_MONITOR__TICK_S": "9"}) as gateway:
            await gateway.wait_ready()
            async with httpx.AsyncClient() as client:
                return (await client.get(plan.url)).text

    assert asyncio.run(live()) == "2"
    with pytest.raises(httpx.ConnectError):
        loopback.get(plan.url)
    assert not (tmp_path / "weir.db-wal").exists()
    assert plan.token_file.stat().st_mode & 0o777 == 0o600


def test_a_gateway_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    async def live() -> None:
        async with GatewayProcess(plan_for(tmp_path, "raise SystemExit('no models')"), environment={}) as gateway:
            await gateway.wait_ready()

    with pytest.raises(GatewayDied, match="no models"):
        asyncio.run(live())


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_only_the_settings_of_the_plan_reach_the_gateway(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, "")
    environment = plan.environment({"PATH": "/bin", "WEIR_PORT": "1", "WEIR_ADMIN_TOKEN": "mine"})
    assert environment == {
        "PATH": "/bin",
        "WEIR_MONITOR__TICK_S": "2",
        "WEIR_MONITOR__PAGE_ON": "profile",
        "WEIR_MONITOR__BURN_IN_S": "4",
        "WEIR_MONITOR__MINIMUM_FIRING_S": "6",
        "WEIR_ADMIN_TOKEN_FILE": str(tmp_path / "admin-token"),
    }
