"""Looks at the folder of models: what counts as complete, from when on, and until when."""

import os
from pathlib import Path

import pytest

from gateway.catalog.bundle import BundleLimits
from gateway.catalog.folder_watch import FolderWatch
from gateway.catalog.repository import Repository


def put(root: Path, version: str, content: bytes, name: str = "model.onnx") -> Path:
    file = root / "m" / version / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


@pytest.fixture
def watch(tmp_path: Path) -> FolderWatch:
    put(tmp_path, "1", b"old")
    return FolderWatch(Repository(tmp_path, limits=BundleLimits()))


def seen(watch: FolderWatch) -> list[str]:
    return sorted(version for _, version in watch.look())


def test_what_lies_there_at_the_first_look_is_complete(watch: FolderWatch) -> None:
    assert seen(watch) == ["1"]


def test_a_version_is_complete_when_two_looks_found_the_same(watch: FolderWatch, tmp_path: Path) -> None:
    seen(watch)
    put(tmp_path, "2", b"half")
    assert seen(watch) == ["1"]
    put(tmp_path, "2", b"half and half")
    assert seen(watch) == ["1"]
    put(tmp_path, "2", b"{}", "deep/model.yaml")
    assert seen(watch) == ["1"]
    assert seen(watch) == ["1", "2"]


def test_a_file_of_the_same_size_is_another_file(watch: FolderWatch, tmp_path: Path) -> None:
    seen(watch)
    file = put(tmp_path, "2", b"abc")
    seen(watch)
    other = put(tmp_path, "2", b"abd", "other")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.rename(file)
    assert seen(watch) == ["1"]
    assert seen(watch) == ["1", "2"]


def test_a_complete_version_stays_so_and_its_stamp_follows_when_it_stands_still(
    watch: FolderWatch, tmp_path: Path
) -> None:
    first = watch.look()["m", "1"]
    put(tmp_path, "1", b"changed")
    assert watch.look()["m", "1"] == first
    assert watch.look()["m", "1"] != first


def test_a_version_that_is_gone_is_forgotten(watch: FolderWatch, tmp_path: Path) -> None:
    seen(watch)
    (tmp_path / "m" / "1" / "model.onnx").unlink()
    assert seen(watch) == []
    put(tmp_path, "1", b"new")
    assert [seen(watch), seen(watch)] == [[], ["1"]]


def test_everything_is_what_lies_there_now(watch: FolderWatch, tmp_path: Path) -> None:
    put(tmp_path, "2", b"new")
    assert sorted(watch.everything()) == [("m", "1"), ("m", "2")]
