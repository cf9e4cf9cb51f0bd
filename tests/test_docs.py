"""The documentation is complete and true where a machine can tell."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer
import yaml

from gateway.catalog.manifest import FeatureEntry, Manifest
from gateway.catalog.manifest_reader import read_manifest
from gateway.cli import build_app
from gateway.codec.configuration import load_settings
from gateway.http.openapi import describe
from gateway.http.openapi_answers import problem_types
from gateway.http.permissions import PERMISSIONS
from gateway.metrics.catalogue import CATALOGUE
from gateway.routing.table import RouteTable
from gateway.rules import Categories, Freshness, Missingness, Range, Relation, Rule
from gateway.settings import Settings

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
FORBIDDEN = re.compile(
    r"pypi\.org|pythonhosted\.org|docker\.io|ghcr\.io|quay\.io|registry\.[a-z]|/(?:home|root|tmp|work|Users|mnt)/"
)


@pytest.fixture(scope="module")
def pages(repo_root: Path) -> dict[str, str]:
    """Give every page by its path."""
    paths = [repo_root / "README.md", repo_root / "CHANGELOG.md", *sorted((repo_root / "docs").rglob("*.md"))]
    return {path.relative_to(repo_root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def settings(kind: Any = Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give path and default of every setting."""
    hints = get_type_hints(kind)
    for declared in fields(kind):
        here = (*path, declared.name)
        if is_dataclass(hints[declared.name]):
            yield from settings(hints[declared.name], here)
        else:
            yield here, getattr(kind(), declared.name)


def commands(command: Any, path: str = "weir") -> Iterator[tuple[str, Any]]:
    """Give every command that does something, with its full name."""
    members = getattr(command, "commands", None)
    if members is None:
        yield path, command
        return
    for name, member in members.items():
        yield from commands(member, f"{path} {name}")


def row_of(page: str, first: str) -> list[str]:
    """Return the cells of the table row that begins with a word."""
    found = [line for line in page.splitlines() if line.startswith(f"| `{first}` |")]
    assert len(found) == 1, f"{first} has {len(found)} rows"
    return [cell.strip().strip("`") for cell in found[0].strip("|").split(" | ")]


def shown(default: Any) -> str:
    """Return a default as the page shows it."""
    if isinstance(default, float):
        return f"{default:.2f}" if 0 < default < 1 and default != 0.5 else f"{default:g}"
    return "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def anchors(page: str) -> set[str]:
    """Return the names under which headings of a page can be linked."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("path", "default"), [pytest.param(path, default, id=".".join(path)) for path, default in settings()]
)
def test_a_setting_is_documented_with_its_variable_and_default(
    path: tuple[str, ...], default: Any, pages: dict[str, str]
) -> None:
    cells = row_of(pages["docs/configuration.md"], ".".join(path))
    assert cells[1:3] == ["WEIR_" + "__".join(path).upper(), shown(default)]


def test_every_command_and_flag_is_documented(pages: dict[str, str]) -> None:
    page, absent = pages["docs/configuration.md"], []
    for name, command in commands(typer.main.get_command(build_app())):
        absent += [] if f"`{name}" in page else [name]
        flags = [flag for option in command.params for flag in option.opts if flag.startswith("--")]
        absent += [f"{name} {flag}" for flag in flags if flag != "--help" and f"`{flag}`" not in page]
    assert absent == []


def test_every_endpoint_is_documented(pages: dict[str, str]) -> None:
    paths = describe(RouteTable(), "1")["paths"]
    known = [f"{method.upper()} {path}" for path, item in paths.items() for method in item if method != "parameters"]
    assert [endpoint for endpoint in known if f"| `{endpoint}` |" not in pages["docs/api.md"]] == []


def test_the_role_of_every_operation_is_documented(pages: dict[str, str]) -> None:
    rows = re.findall(r"^\| `((?:GET|PUT|POST|DELETE) [^`]+)` \| (\w+) \|$", pages["docs/access.md"], re.MULTILINE)
    assert dict(rows) == dict(PERMISSIONS)


def test_every_problem_type_is_documented_with_its_status(pages: dict[str, str]) -> None:
    rows = [f"| {problem.status} | `{problem.type}` |" for problem in problem_types()]
    assert [row for row in rows if row not in pages["docs/api.md"]] == []


def test_every_alert_is_documented_and_has_its_runbook(pages: dict[str, str], repo_root: Path) -> None:
    for file in sorted((repo_root / "deploy/prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert row_of(pages["docs/monitoring.md"], rule["alert"])[1] == rule["labels"]["severity"]
                    assert rule["annotations"]["runbook_url"] in pages


def test_every_metric_is_documented(pages: dict[str, str]) -> None:
    assert [metric.name for metric in CATALOGUE if f"| `{metric.name}` |" not in pages["docs/metrics.md"]] == []


def test_every_member_of_a_manifest_is_documented(pages: dict[str, str]) -> None:
    sections = [hint for hint in get_type_hints(Manifest).values() if is_dataclass(hint)]
    kinds = (FeatureEntry, Rule, Relation, Freshness, Missingness, Range, Categories, *sections)
    names = {declared.name for kind in kinds for declared in fields(kind)}
    assert [name for name in sorted(names) if f"`{name}`" not in pages["docs/bundles.md"]] == []


def test_the_example_of_a_manifest_is_one(pages: dict[str, str]) -> None:
    (example,) = re.findall(r"```yaml\n(schema_version.*?)```", pages["docs/bundles.md"], re.DOTALL)
    manifest = read_manifest(example.encode(), model="iris", source="docs/bundles.md")
    sections = [declared.name for declared in fields(manifest) if is_dataclass(getattr(manifest, declared.name))]
    assert [name for name in sections if getattr(manifest, name) == type(getattr(manifest, name))()] == []


def test_the_example_of_a_settings_file_is_one(pages: dict[str, str], tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", pages["docs/configuration.md"], re.DOTALL)
    (tmp_path / "weir.yaml").write_text(example)
    assert load_settings(tmp_path / "weir.yaml", {}).routing.default_model == "fraud"


def test_the_architecture_names_every_module_and_none_that_is_gone(pages: dict[str, str], repo_root: Path) -> None:
    named = set(re.findall(r"^\| `((?:gateway|monitors)/[^`]+\.py)` \|", pages["docs/architecture.md"], re.MULTILINE))
    modules = {
        path.relative_to(repo_root).as_posix()
        for package in ("gateway", "monitors")
        for path in (repo_root / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert named == modules


def test_every_link_resolves(pages: dict[str, str], repo_root: Path) -> None:
    broken = []
    for name, page in pages.items():
        for target in LINK.findall(FENCE.sub("", page)):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            found = (repo_root / name).parent / path if path else repo_root / name
            text = found.read_text(encoding="utf-8") if found.suffix == ".md" and found.is_file() else ""
            if not found.exists() or (anchor and anchor not in anchors(text)):
                broken.append(f"{name}: {target}")
    assert broken == []


def test_no_page_names_a_registry_or_a_path_of_one_machine(pages: dict[str, str]) -> None:
    assert {name: found for name, page in pages.items() if (found := FORBIDDEN.findall(page))} == {}
