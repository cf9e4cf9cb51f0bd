from dataclasses import replace
from pathlib import Path

import pytest

from gateway.codec.configuration import check_settings, encode_settings
from gateway.errors import DocumentInvalid
from gateway.settings import RedisSettings, Settings
from gateway.state.opening import PASSWORD_VARIABLE, hide_password, open_store, place_on_disk
from gateway.state.remembering import RememberingStore
from gateway.state.sqlite import SqliteStore
from tests.redis_server import RedisServer

SECRET = "p/ss:w@rd"
QUOTED = "p%2Fss%3Aw%40rd"


def settings(state: str, folder: Path, **redis: object) -> Settings:
    return replace(Settings(), state=state, redis=RedisSettings(folder=folder, **redis))  # type: ignore[arg-type]  # of many types


def test_a_path_opens_a_file(tmp_path: Path) -> None:
    store = open_store(settings(str(tmp_path / "weir.db"), tmp_path), {})
    assert isinstance(store, SqliteStore)
    store.close()


@pytest.mark.parametrize("source", ["address", "variable", "file"])
def test_the_password_comes_from_any_of_three_places(tmp_path: Path, source: str) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    with RedisServer(tmp_path, password=SECRET) as server:
        address, file = server.address, None
        environ = {PASSWORD_VARIABLE: SECRET} if source == "variable" else {}
        if source == "address":
            address = address.replace("//", f"//:{QUOTED}@")
        elif source == "file":
            file = tmp_path / "password"
        store = open_store(settings(address, tmp_path, password_file=file), environ)
        assert isinstance(store, RememberingStore)
        assert store.revision() == 0
        store.close()


def test_a_password_leaves_the_settings_for_the_environment(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    hidden = hide_password(settings(f"rediss://ann:{QUOTED}@db:6379/1", tmp_path), environ)
    assert environ == {PASSWORD_VARIABLE: SECRET}
    assert hidden.state == "rediss://ann@db:6379/1"
    assert QUOTED.encode() not in encode_settings(hidden)


def test_files_of_this_host_are_named_after_the_state(tmp_path: Path) -> None:
    assert place_on_disk(settings("a/weir.db", tmp_path)) == Path("a/weir.db")
    assert place_on_disk(settings("redis://db", tmp_path, namespace="eu")) == tmp_path / "eu"


@pytest.mark.parametrize(
    "state",
    [
        "http://db:6379",
        "redis://:6379/0",
        "redis://db:port/0",
        "redis://db:99999/0",
        "redis://db/zero",
        "redis://db/0?ssl_cert_reqs=none",
        "redis://[db/0",
        "unix://",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(tmp_path: Path, state: str) -> None:
    spoiled = state.replace("//", f"//ann:{QUOTED}@", 1)
    for wrong in (state, spoiled):
        with pytest.raises(DocumentInvalid, match="/state: expected redis://HOST") as caught:
            check_settings(settings(wrong, tmp_path))
        assert QUOTED not in str(caught.value)


@pytest.mark.parametrize(
    "state", ["redis://db", "rediss://ann@db:6380/15", "unix:///run/redis.sock", "redis://[::1]:6379/0"]
)
def test_addresses_are_taken(tmp_path: Path, state: str) -> None:
    check_settings(settings(state, tmp_path))


def test_a_namespace_that_would_leave_its_braces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="/redis/namespace"):
        check_settings(settings("redis://db", tmp_path, namespace="a}b"))


def test_a_password_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="a file with the password"):
        open_store(settings("redis://db", tmp_path, password_file=tmp_path / "no"), {})
