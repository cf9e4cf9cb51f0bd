"""Names of detectors: what can be chosen, and what cannot."""

from pathlib import Path

import pytest

from monitors.detectors.page_hinkley import PageHinkley
from monitors.detectors.plug_ins import DetectorUnknown, detector_names, load_choice, load_detector
from tests.monitors.detectors.example import NAME, install, load_example


def test_an_installed_package_adds_its_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_example(tmp_path, monkeypatch).__name__ == "EwmaChart"
    assert detector_names() == ["adwin", NAME, "kswin", "page-hinkley"]


@pytest.mark.parametrize(
    "name", ["", "nobody", "Adwin", "os:system", "river.drift.ADWIN", "../adwin", "monitors.detectors.river:RiverAdwin"]
)
def test_a_name_that_nothing_declares_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(DetectorUnknown, match="adwin, kswin, page-hinkley"):
        load_detector(name)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param("nowhere_at_all:Thing", "ModuleNotFoundError", id="no module"),
        pytest.param("our_detectors:Nothing", "AttributeError", id="no such name"),
        pytest.param("our_detectors:np", "no subclass", id="no detector"),
        pytest.param("pathlib:Path", "no subclass", id="another class"),
    ],
)
def test_what_is_no_detector_is_refused(value: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, value=value)
    with pytest.raises(DetectorUnknown, match=why):
        load_detector(NAME)


def test_a_name_that_two_packages_declare_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("our_detectors", "their_detectors"):
        install(tmp_path, monkeypatch, value=f"{package}:EwmaChart", package=package)
    with pytest.raises(DetectorUnknown, match="several packages"):
        load_detector(NAME)


def test_a_package_cannot_take_the_place_of_a_built_in_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    points = next(tmp_path.glob("*.dist-info")) / "entry_points.txt"
    points.write_text(points.read_text().replace(NAME, "page-hinkley"))
    assert load_detector("page-hinkley") is PageHinkley


def test_a_model_has_its_own_choice_or_that_of_all() -> None:
    choice = load_choice(["page-hinkley"], {"fraud": ["adwin"], "quiet": []})
    assert {model: list(choice.of(model)) for model in ("fraud", "quiet", "other")} == {
        "fraud": ["adwin"],
        "quiet": [],
        "other": ["page-hinkley"],
    }
