"""The console's page: a closed set of files, read once, under a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import ResourceUnknown

__all__ = ["HEADERS", "PAGE", "console_routes"]

PAGE = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
HEADERS = {
    "content-security-policy": "; ".join(POLICY),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-cache",
}
"""On every file. No script or style but our own files, no markup from strings, no frame around it; asked anew each
time, and answered 304 while nothing has changed."""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def console_routes() -> list[Route]:
    """Return the routes of the page and of its files; the files are read now."""
    found = _read()

    async def page(request: Request) -> Response:
        return _answer(request, found[PAGE])

    async def file(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in found:
            raise ResourceUnknown(request.url.path)
        return _answer(request, found[name])

    async def slashed(_: Request) -> Response:
        return Response(status_code=308, headers={**HEADERS, "location": "/console"})

    return [Route("/console", page), Route("/console/", slashed), Route("/console/{file}", file)]


def _read() -> dict[str, _File]:
    """Return the files of the page by name; what has another ending is no part of it."""
    entries = [entry for entry in files("gateway.console").iterdir() if PurePath(entry.name).suffix in TYPES]
    return {entry.name: _file(entry.name, entry.read_bytes()) for entry in entries}


def _file(name: str, content: bytes) -> _File:
    return _File(content, TYPES[PurePath(name).suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _answer(request: Request, file: _File) -> Response:
    headers = {**HEADERS, "etag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers={**headers, "content-type": file.media_type})
