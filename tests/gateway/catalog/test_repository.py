"""The folder of models: what counts as a model or a version, and what is left aside and why."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.catalog.bundle import BundleLimits
from gateway.catalog.repository import Repository
from gateway.errors import ModelUnknown, VersionRefused, VersionUnknown
from tests import models


def repository(root: Path, versions: Sequence[str] = ()) -> Repository:
    for version in versions:
        models.write_bundle(root / "m" / version, models.multi_output())
    return Repository(root, limits=BundleLimits())


def test_versions_are_sorted_as_numbers(tmp_path: Path) -> None:
    assert repository(tmp_path, ["10", "9", "1"]).models() == {"m": ["1", "9", "10"]}


def test_names_follow_integers_with_their_numbers_by_size(tmp_path: Path) -> None:
    assert repository(tmp_path, ["v10", "v9", "2"]).models() == {"m": ["2", "v9", "v10"]}


def test_the_newest_come_first(tmp_path: Path) -> None:
    assert repository(tmp_path, ["1", "2", "10"]).newest("m", 2) == ["10", "2"]


def test_the_newest_of_an_unknown_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown):
        repository(tmp_path).newest("m", 2)


def test_a_triton_tree_works_as_it_is(tmp_path: Path) -> None:
    one = repository(tmp_path, ["1"])
    (tmp_path / "m" / "config.pbtxt").write_text("name: 'm'")
    (tmp_path / "m" / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text("models")
    assert one.models() == {"m": ["1"]}
    assert one.problems() == []


def test_what_is_left_aside_is_said(tmp_path: Path) -> None:
    one = repository(tmp_path, ["1"])
    (tmp_path / "m" / "2").mkdir()
    (tmp_path / "m" / "3").symlink_to(tmp_path / "m" / "1")
    models.write_bundle(tmp_path / "m" / "bad name", models.multi_output())
    (tmp_path / "m" / "4").mkdir()
    (tmp_path / "m" / "4" / "model.onnx").symlink_to(tmp_path / "m" / "1" / "model.onnx")
    (tmp_path / "linked").symlink_to(tmp_path / "m")
    (tmp_path / "hollow").mkdir()
    assert one.models() == {"m": ["1"]}
    assert [line.partition(" is no name")[0] for line in one.problems()] == [
        "hollow: holds no version; put the model into hollow/1/model.onnx",
        "linked: is a symbolic link, which is not followed",
        "m/2: holds no model.onnx",
        "m/3: is a symbolic link, which is not followed",
        "m/4: its model.onnx is a symbolic link, which is not followed",
        "m/bad name:",
    ]


def test_a_root_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    one = repository(tmp_path / "nowhere")
    assert one.models() == {}
    assert one.problems() == [f"{tmp_path / 'nowhere'} is not a folder"]


def test_a_version_is_read(tmp_path: Path) -> None:
    bundle = repository(tmp_path, ["1"]).read("m", "1")
    assert (bundle.model, bundle.version) == ("m", "1")
    assert bundle.digest.startswith("sha256:")


@pytest.mark.parametrize("model", ["..", ".", "", "a/b", "/etc", "none", "m\x00", "m" * 65, "-m"])
def test_no_name_leaves_the_root(tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelUnknown):
        repository(tmp_path, ["1"]).read(model, "1")


@pytest.mark.parametrize("version", ["..", ".", "", "../m/1", "2", "1/", "1\n"])
def test_no_version_leaves_the_model(tmp_path: Path, version: str) -> None:
    with pytest.raises(VersionUnknown):
        repository(tmp_path, ["1"]).read("m", version)


def test_linked_folders_are_refused_when_named(tmp_path: Path) -> None:
    one = repository(tmp_path / "root", ["1"])
    models.write_bundle(tmp_path / "outside" / "1", models.multi_output())
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "m" / "2").symlink_to(tmp_path / "outside" / "1")
    for model, version in (("linked", "1"), ("m", "2")):
        with pytest.raises(VersionRefused, match="links are not followed"):
            one.read(model, version)
