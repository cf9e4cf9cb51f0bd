"""Where spans are sent to, as the settings name it: the collector's address, and headers that may be secret."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from gateway.errors import DocumentInvalid, Fault

__all__ = ["endpoint_fault", "read_headers", "spans_url"]

_PATH = "/v1/traces"
_LINE = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)[ \t]*")
_FILE_BYTES = 65_536


def endpoint_fault(endpoint: str) -> str | None:
    """Return what was expected of an endpoint that is none; ``None`` for one that is fine."""
    expected = "the URL of a collector such as http://127.0.0.1:4318, without user, query and fragment"
    try:
        url = urlsplit(endpoint)
        is_fine = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return expected
    has_more = "@" in url.netloc or "?" in endpoint or "#" in endpoint or not endpoint.isprintable() or " " in endpoint
    return None if is_fine and not has_more else expected


def spans_url(endpoint: str) -> str:
    """Return the URL that takes spans: OTLP's path below the endpoint, unless the endpoint already ends with it.

    >>> spans_url("http://127.0.0.1:4318"), spans_url("https://otlp.example/tempo/v1/traces")
    ('http://127.0.0.1:4318/v1/traces', 'https://otlp.example/tempo/v1/traces')
    """
    base = endpoint.rstrip("/")
    return base if base.endswith(_PATH) else base + _PATH


def read_headers(path: Path | None) -> dict[str, str] | None:
    """Return the headers in a file of lines ``name: value``; ``None`` without a file.

    Raises
    ------
    DocumentInvalid
        The file cannot be read, or a line of it; what the line holds is not told, for it may be secret.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_FILE_BYTES + 1).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "bytes that are not ASCII"
        raise DocumentInvalid(str(path), [Fault("", "value", "a file with the collector's headers", found)]) from error
    if len(text) > _FILE_BYTES:
        expected = f"a file with the collector's headers, {_FILE_BYTES:,} bytes at most"
        raise DocumentInvalid(str(path), [Fault("", "value", expected, "more")])
    headers = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise DocumentInvalid(
                str(path), [Fault(f"/{number}", "value", "a line 'name: value'", "another line (not shown)")]
            )
        headers[match[1]] = match[2]
    return headers
