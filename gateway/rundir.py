"""The run directory of a process tree: private to its user, gone when the tree ends."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

__all__ = ["RunDirectory"]


class RunDirectory:
    """Paths below a run directory, and the secrets that the processes of one tree share through it.

    Parameters
    ----------
    path
        An existing directory of mode 0700.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counters = path / "counters"
        self.marks = path / "marks"
        self.crashed_file = path / "crashed.json"
        self.settings_file = path / "settings.json"
        self._policy_file = path / "policy.json"
        self.watch_socket = path / "watch.sock"
        self.watch_http_socket = path / "watch-http.sock"
        self.shadow_socket = path / "shadow.sock"
        self.signed_out = path / "signed-out"
        self._token_file = path / "admin-token"
        self._salt_file = path / "key-salt"

    @classmethod
    def create(cls, settings: bytes, admin_token: str, policy: bytes | None = None) -> RunDirectory:
        """Make a directory for a new tree, with what its processes need to know.

        Parameters
        ----------
        policy
            The governance policy in force; ``None`` where there is none.
        """
        run_dir = cls(Path(tempfile.mkdtemp(prefix="weir-")))
        run_dir.counters.mkdir(mode=0o700)
        run_dir.marks.mkdir(mode=0o700)
        for file, content in (
            (run_dir.settings_file, settings),
            (run_dir._token_file, admin_token.encode()),
            (run_dir._salt_file, secrets.token_bytes(32)),
            *(((run_dir._policy_file, policy),) if policy is not None else ()),
        ):
            file.touch(mode=0o600)
            file.write_bytes(content)
        return run_dir

    def admin_token(self) -> str:
        """Return the admin token."""
        return self._token_file.read_text()

    def policy(self) -> bytes | None:
        """Return the governance policy as it was when the tree started; ``None`` where there is none."""
        return self._policy_file.read_bytes() if self._policy_file.exists() else None

    def key_salt(self) -> bytes:
        """Return the salt of the routing-key hashes in observations; another one in every tree."""
        return self._salt_file.read_bytes()
