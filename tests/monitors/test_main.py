"""The stand-alone monitor as a process."""

import asyncio
import json
import sys
import time
from pathlib import Path

import numpy as np

from monitors.transport.channel import ChannelSender
from monitors.transport.frames import encode_frame
from tests.monitors.material import info, observe, rows


def test_the_stand_alone_monitor_prints_an_alert_and_ends_on_sigterm(tmp_path: Path, repo_root: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "s"
        arguments = ["-m", "monitors", "--listen", str(path), "--tick-s", "0.2", "--minimum-rows", "50"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=repo_root, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        values_nd = rows(np.random.default_rng(0), 100)
        values_nd[:, 0] = np.nan
        sender = ChannelSender(
            path,
            limit_bytes=1_000_000,
            on_connect=lambda: [encode_frame(info()), encode_frame(observe(values_nd, time.time()))],
        )
        sender.start()
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30.0))
        assert (line["cause"], line["state"]) == ("data-quality", "firing")
        await sender.close()
        process.terminate()
        await asyncio.wait_for(process.communicate(), 30.0)
        assert process.returncode == 0

    asyncio.run(scenario())
