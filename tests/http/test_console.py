"""The console's files: a closed set, typed, under a policy that lets nothing else in."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import WeirError
from gateway.http.console import console_routes
from gateway.http.problems import problem_response


async def tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, WeirError)
    return problem_response(error)


@pytest.fixture(scope="module")
def app() -> Starlette:
    return Starlette(routes=console_routes(), exception_handlers={WeirError: tell})


@pytest.fixture(scope="module")
def folder(repo_root: Path) -> Path:
    return repo_root / "gateway" / "console"


def get(app: Starlette, path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
            return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(ask())


def test_the_page_allows_nothing_but_its_own_files(app: Starlette) -> None:
    page = get(app, "/console")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "trusted-types 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert re.findall(r"<script(?! type=\"module\" src=\"/console/)|<style|\son\w+=|style=", page.text) == []


def test_a_slash_behind_the_name_leads_to_the_page(app: Starlette) -> None:
    found = get(app, "/console/")
    assert (found.status_code, found.headers["location"]) == (308, "/console")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_its_type_and_is_not_sent_again(app: Starlette, name: str, media_type: str) -> None:
    found = get(app, f"/console/{name}")
    assert (found.status_code, found.headers["content-type"]) == (200, media_type)
    again = get(app, f"/console/{name}", if_none_match=found.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "content-security-policy" in again.headers


@pytest.mark.parametrize("name", ["__init__.py", "none.js", "..%2fconsole.py", "%2e%2e/console.py"])
def test_there_is_no_other_file(app: Starlette, name: str) -> None:
    assert get(app, f"/console/{name}").status_code == 404


def test_no_script_makes_markup_or_looks_elsewhere(folder: Path) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|localStorage|sessionStorage"
    for path in folder.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert re.findall(forbidden, source) == [], path.name
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", source) == [], path.name
        assert all(found.startswith("./") for found in re.findall(r'from "([^"]+)"', source)), path.name


def test_every_module_that_is_imported_is_there(folder: Path, app: Starlette) -> None:
    for path in folder.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")):
            assert get(app, f"/console/{name}").status_code == 200
