"""A real Redis for tests: ``redis-server`` in a folder and on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import redis

from tests.end_to_end.running import free_port

__all__ = ["RedisServer"]

_START_S = 20.0


class RedisServer:
    """One server; stopped on exit. What it is told to save outlives ``stop``.

    Parameters
    ----------
    folder
        Where it keeps its dump.
    flags
        Further flags of ``redis-server``.
    password
        What clients must send.
    """

    def __init__(self, folder: Path, *flags: str, password: str = "") -> None:
        self.folder, self.port, self.password = folder, free_port(), password
        self._command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no", *flags]
        self._command += ["--requirepass", password] if password else []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The address as ``--state`` takes it, without the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> RedisServer:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once; what was not saved is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connections stand, nothing answers."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._pid, signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a client; to be closed by the caller."""
        return redis.Redis(port=self.port, password=self.password or None)

    def tell(self, *command: str) -> object:
        """Run one command."""
        with self.client() as client:
            answer: object = client.execute_command(*command)
            return answer

    def back_up(self) -> Path:
        """Write a dump, and return a copy of it."""
        self.tell("SAVE")
        return Path(shutil.copy(self.folder / "dump.rdb", self.folder / "backup.rdb"))

    def restore(self, backup: Path) -> None:
        """Come back with what a backup holds."""
        self.stop()
        shutil.copy(backup, self.folder / "dump.rdb")
        self.start()

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        try:
            return bool(self.tell("PING"))
        except redis.RedisError:
            return False
