"""Marks are read from the file of a process that is gone, as it left them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gateway.crash_marks import Busy, CrashMarks, take_marks
from gateway.crashes import MOST_LOADS, Crash, CrashFile


def test_a_process_that_dies_in_the_middle_leaves_what_it_was_busy_with(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        marks = CrashMarks(tmp_path, "w")
        with marks.mark("m", "2", "canary"), marks.mark("n", "3", "loading"):
            with marks.mark("m", "1", "pinned"):
                pass
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert take_marks(tmp_path, "w") == [Busy("m", "2", "canary"), Busy("n", "3", "loading")]
    assert take_marks(tmp_path, "w") == []
    assert list(tmp_path.iterdir()) == []


def test_what_raises_is_not_busy_any_more(tmp_path: Path) -> None:
    marks = CrashMarks(tmp_path, "w")
    with pytest.raises(ValueError, match="broken"), marks.mark("m", "2", "canary"):
        raise ValueError("broken")
    assert take_marks(tmp_path, "w") == []


def test_more_versions_than_there_is_room_for_go_unmarked_and_harm_no_other(tmp_path: Path) -> None:
    marks = CrashMarks(tmp_path, "w")
    held = [marks.mark("m", str(number), "canary") for number in range(100)]
    held.append(marks.mark("m" * 600, "1", "canary"))
    for mark in held:
        mark.__enter__()
    assert [busy.version for busy in take_marks(tmp_path, "w")] == [str(number) for number in range(63)]


def test_an_orderly_end_leaves_no_file(tmp_path: Path) -> None:
    CrashMarks(tmp_path, "w").close()
    assert list(tmp_path.iterdir()) == []


def test_who_looks_sees_each_version_that_was_blamed_with_the_first_reason(tmp_path: Path) -> None:
    path = tmp_path / "crashed.json"
    writer, reader = CrashFile(path), CrashFile(path)
    assert dict(reader.look()) == {}
    writer.add("w-1", signal.SIGSEGV, [Busy("m", "2", "loading")])
    assert dict(reader.look()) == {("m", "2"): Crash("w-1 crashed with SIGSEGV while it loaded this version", loads=1)}
    writer.add("w-2", signal.SIGABRT, [Busy("m", "2", "canary"), Busy("m", "3", "shadow")])
    assert dict(reader.look()) == {
        ("m", "2"): Crash("w-1 crashed with SIGSEGV while it loaded this version", loads=1),
        ("m", "3"): Crash("w-2 crashed with SIGABRT while it ran this version as shadow"),
    }
    assert not reader.has_riddle


def test_a_stable_version_is_blamed_only_where_nobody_else_was_busy(tmp_path: Path) -> None:
    file = CrashFile(tmp_path / "crashed.json")
    file.add("w-1", signal.SIGFPE, [Busy("m", "1", "stable"), Busy("m", "2", "canary")])
    assert list(file.look()) == [("m", "2")]
    file.add("w-2", signal.SIGFPE, [Busy("m", "1", "stable")])
    assert file.look()["m", "1"].why == "w-2 crashed with SIGFPE while it ran this version as stable"


def test_a_crash_that_nobody_can_be_blamed_for_is_remembered(tmp_path: Path) -> None:
    file = CrashFile(tmp_path / "crashed.json")
    file.add("w-1", signal.SIGSEGV, [])
    assert CrashFile(tmp_path / "crashed.json").has_riddle
    assert dict(file.look()) == {}


def test_a_version_whose_load_crashes_again_and_again_is_hopeless(tmp_path: Path) -> None:
    file = CrashFile(tmp_path / "crashed.json")
    for number in range(MOST_LOADS):
        assert not any(crash.is_hopeless for crash in file.look().values())
        file.add(f"w-{number}", signal.SIGSEGV, [Busy("m", "2", "loading")])
    assert file.look()["m", "2"].is_hopeless
