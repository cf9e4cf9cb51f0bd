"""The run directory of a process tree: private to its user, gone when the tree ends, or with the next start.

Every process of a tree holds the lock of its directory. Who finds one that nobody holds may remove it.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path
from stat import S_IMODE, S_ISDIR

__all__ = ["RunDirectory", "remove_abandoned"]

_PREFIX = "weir-"
_LOCK = "lock"
_NAME = re.compile(_PREFIX + r"[a-z0-9_]{8}")


class RunDirectory:
    """Paths below a run directory, and the secrets that the processes of one tree share through it.

    Parameters
    ----------
    path
        An existing directory of mode 0700.

    Attributes
    ----------
    lock_fds
        What a process of the tree has to inherit so that the directory stays; of a directory that ``create`` made.
    """

    lock_fds: tuple[int, ...] = ()

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
        self._lock_file = path / _LOCK

    @classmethod
    def create(cls, settings: bytes, admin_token: str, policy: bytes | None = None) -> RunDirectory:
        """Make a directory for a new tree, with what its processes need to know.

        Parameters
        ----------
        policy
            The governance policy in force; ``None`` where there is none.
        """
        run_dir = cls(Path(tempfile.mkdtemp(prefix=_PREFIX)))
        if not run_dir._lock():
            run_dir.remove()
            return cls.create(settings, admin_token, policy)
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

    def remove(self) -> None:
        """Remove the directory; all processes of the tree have ended."""
        shutil.rmtree(self.path, ignore_errors=True)
        for fd in self.lock_fds:
            os.close(fd)
        self.lock_fds = ()

    def admin_token(self) -> str:
        """Return the admin token."""
        return self._token_file.read_text()

    def policy(self) -> bytes | None:
        """Return the governance policy as it was when the tree started; ``None`` where there is none."""
        return self._policy_file.read_bytes() if self._policy_file.exists() else None

    def key_salt(self) -> bytes:
        """Return the salt of the routing-key hashes in observations; another one in every tree."""
        return self._salt_file.read_bytes()

    def _lock(self) -> bool:
        """Take the lock; return whether that worked, and no other start has removed the directory as abandoned."""
        fd = os.open(self._lock_file, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.lock_fds = (fd,)
        return _is_locked(fd) and os.fstat(fd).st_nlink > 0


def remove_abandoned() -> list[Path]:
    """Remove this user's run directories whose processes have all ended, as after SIGKILL; return what was removed.

    Left alone is what has another owner, mode or name, what is a link or has no lock file, and what cannot be removed.
    """
    places = sorted(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"))
    return [place for place in places if _NAME.fullmatch(place.name) and _is_private(place) and _is_removed(place)]


def _is_private(place: Path) -> bool:
    """Return whether it is a directory, and no link to one, that is this user's alone."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return S_ISDIR(found.st_mode) and S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.geteuid()


def _is_removed(place: Path) -> bool:
    """Remove a run directory that no process holds; return whether it came to that."""
    try:
        fd = os.open(place / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        if _is_locked(fd):
            shutil.rmtree(place)
            return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _is_locked(fd: int) -> bool:
    """Take the lock of an open file; return whether nobody else has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
