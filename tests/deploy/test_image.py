"""The recipe of the container's image, and its start and health commands, run as they stand there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import loopback
from tests.deploy.ground import IMAGE, instructions, settings_from, settle
from tests.end_to_end.running import free_port
from tests.models import echo_model, write_bundle


@pytest.fixture(scope="module")
def recipe(repo_root: Path) -> list[tuple[str, str]]:
    return instructions(repo_root / "deploy/Dockerfile")


def environment(recipe: list[tuple[str, str]]) -> dict[str, str]:
    """Return the variables of the final stage."""
    last = max(n for n, (name, _) in enumerate(recipe) if name == "FROM")
    return dict(pair.split("=", 1) for name, text in recipe[last:] if name == "ENV" for pair in text.split())


def arguments(recipe: list[tuple[str, str]], name: str) -> list[str]:
    """Return the argument vector of the only instruction with a name."""
    (text,) = [text for found, text in recipe if found == name]
    vector: list[str] = json.loads(text[text.index("[") :])
    return vector


def test_every_base_is_pinned_by_version(recipe: list[tuple[str, str]]) -> None:
    bases = [text.split()[0] for name, text in recipe if name == "FROM"]
    assert len(set(bases)) == 1
    assert IMAGE.fullmatch(bases[0])


def test_every_package_from_outside_is_checked_by_its_hash(recipe: list[tuple[str, str]]) -> None:
    commands = [part for name, text in recipe if name == "RUN" for part in text.split("&&") if " install " in part]
    installs = [command for command in commands if "pip install" in command]
    assert [c for c in installs if "--require-hashes" not in c and "--no-deps wheels/" not in c] == []
    assert len(installs) == 3


def test_what_the_recipe_copies_exists_and_is_not_ignored(recipe: list[tuple[str, str]], repo_root: Path) -> None:
    copied = [text.split()[:-1] for name, text in recipe if name == "COPY" and "--from" not in text]
    sources = [source for some in copied for source in some]
    assert [source for source in sources if not (repo_root / source).exists()] == []
    allowed = (repo_root / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert [source for source in sources if f"!{source.split('/')[0]}" not in allowed] == []


def test_the_process_is_not_root(recipe: list[tuple[str, str]]) -> None:
    assert [text for name, text in recipe if name == "USER"] == ["10001:10001"]


def test_the_start_command_serves_until_sigterm_and_the_health_command_says_so(
    recipe: list[tuple[str, str]], tmp_path: Path, short_path: Path
) -> None:
    folders = {"/models": tmp_path / "models", "/state": tmp_path / "state"}
    for folder in folders.values():
        folder.mkdir()
    write_bundle(folders["/models"] / "echo/1", echo_model())
    declared = environment(recipe)
    settings_from(declared)
    ports = {name: str(free_port()) for name in declared if name.endswith("_PORT")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = settle(declared, folders) | ports | {"PATH": path, "TMPDIR": str(short_path), "WEIR_HOST": "127.0.0.1"}
    health = arguments(recipe, "HEALTHCHECK")
    command = arguments(recipe, "ENTRYPOINT") + arguments(recipe, "CMD")

    def healthy() -> bool:
        return subprocess.run(health, env=environ, capture_output=True, check=False).returncode == 0

    assert not healthy()
    process = subprocess.Popen(command, env=environ, cwd=folders["/state"])
    try:
        deadline = time.monotonic() + 60
        while not healthy():
            assert process.poll() is None
            assert time.monotonic() < deadline
        assert loopback.get(f"http://127.0.0.1:{ports['WEIR_ADMIN_PORT']}/livez").status_code == 200
        assert (folders["/state"] / "weir.db.admin-token").is_file()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
