import logging
import stat
from pathlib import Path

import pytest

from gateway.state.known import Entry, Known, Standing
from gateway.state.last_known import LastKnownFile

HASH = "0123456789abcdef" * 4


def known(sequence: int, body: bytes = b'{"a":1}') -> Known:
    entries = {"route/m": Entry("route/m", sequence, body), "route/n": Entry("route/n", 2, None)}
    return Known(Standing(sequence, HASH, epoch=7), entries)


@pytest.fixture
def file(tmp_path: Path) -> LastKnownFile:
    return LastKnownFile(tmp_path / "weir.last-known")


def test_what_was_saved_comes_back_whole(file: LastKnownFile) -> None:
    file.save(known(3))
    assert file.load() == known(3)
    assert file.sequence() == 3


def test_only_the_owner_may_read_it(file: LastKnownFile) -> None:
    file.save(known(3))
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.path.parent.iterdir()} == {0o600}


def test_who_knows_less_does_not_overwrite(file: LastKnownFile) -> None:
    file.save(known(3))
    file.save(known(2))
    assert file.load() == known(3)
    file.save(known(2), replacing=True)
    assert file.load() == known(2)


def test_no_file_is_nothing_known(file: LastKnownFile) -> None:
    assert file.load() is None
    assert file.sequence() == -1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="cut"),
        pytest.param(lambda data: data.replace(b"route/m", b"route/x"), id="edited"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"\xff\xfe\n{}", id="something else"),
    ],
)
def test_a_file_that_was_changed_is_not_trusted(
    file: LastKnownFile, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    file.save(known(3))
    assert callable(damage)
    file.path.write_bytes(damage(file.path.read_bytes()))
    with caplog.at_level(logging.ERROR):
        assert file.load() is None
    assert "cannot be used" in caplog.text
