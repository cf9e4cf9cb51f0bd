"""The detector that docs/detectors.md shows, installed as its page says."""

import re
import sys
from pathlib import Path

import pytest

from monitors.detectors.base import Detector
from monitors.detectors.plug_ins import load_detector

PAGE = Path(__file__).parents[3] / "docs/detectors.md"
NAME = "ewma-chart"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *, value: str = "", package: str = "our_detectors") -> None:
    """Put the page's module on the path, with the metadata that its ``pyproject.toml`` makes on installation."""
    text = PAGE.read_text(encoding="utf-8")
    (module,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ((group, entry),) = re.findall(r'\[project\.entry-points\."(.*?)"\]\n(.*?)\n', text)
    name, declared = (part.strip(' "') for part in entry.split("="))
    (folder / f"{package}.py").write_text(module)
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {value or declared}\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, package, raising=False)


def load_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> type[Detector]:
    """Return the page's detector by its name."""
    install(folder, monkeypatch)
    return load_detector(NAME)
