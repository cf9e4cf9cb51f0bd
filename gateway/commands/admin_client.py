"""The admin API as the command line calls it."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from gateway.commands.problem import ProblemReported
from gateway.errors import Fault

__all__ = ["AdminClient", "find_token"]

TIMEOUT_S = 40.0
"""Above the half minute that loading a version may take."""

MADE_TOKEN = Path("weir.db.admin-token")


class AdminClient:
    """Call one gateway; every method returns its document or raises ``ProblemReported``."""

    def __init__(self, url: str, token: str | None, ca_file: Path | None = None) -> None:
        self._root = url.rstrip("/")
        self._base = f"{self._root}/admin/v1"
        self._trust = True if ca_file is None else _trust_in(ca_file)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def get(self, *steps: str, **query: str | int | None) -> Any:
        """Read what lies under a path; ``None`` leaves a query parameter out."""
        return self._send("GET", steps, query={name: value for name, value in query.items() if value is not None})

    def put(self, *steps: str, body: object, revision: int) -> Any:
        """Replace the document of that revision."""
        return self._send("PUT", steps, body=body, headers={"if-match": f'"{revision}"'})

    def delete(self, *steps: str, **query: str | int | None) -> Any:
        """Take away what lies under a path; ``None`` leaves a query parameter out."""
        return self._send("DELETE", steps, query={name: value for name, value in query.items() if value is not None})

    def post(self, *steps: str, reason: str, revision: int | None = None) -> Any:
        """Ask for an action, and say why; of a document of that revision alone, where one is given."""
        headers = {} if revision is None else {"if-match": f'"{revision}"'}
        return self._send("POST", steps, body={"reason": reason}, headers=headers)

    def ask(self, *steps: str, body: object, idempotency_key: str = "", dry_run: bool = False) -> Any:
        """Ask for something that is carried out once for each key, or only foreseen; bytes are sent as they are."""
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        return self._send("POST", steps, body=body, headers=headers, query={"dry_run": "true"} if dry_run else None)

    @property
    def root(self) -> str:
        """Where the gateway listens."""
        return self._root

    def metrics(self) -> str:
        """Read the metrics page, as text."""
        try:
            response = httpx.get(f"{self._root}/metrics", timeout=TIMEOUT_S, verify=self._trust)
            return response.raise_for_status().text
        except httpx.HTTPError as error:
            raise ProblemReported(f"{self._root}/metrics: {error}") from error

    def _send(
        self,
        method: str,
        steps: Sequence[str],
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Any:
        url = "/".join([self._base, *(quote(step, safe="") for step in steps)])
        sent = {**self._headers, **(headers or {})}
        content = None if body is None else _json(body)
        try:
            response = httpx.request(
                method, url, content=content, headers=sent, params=query, timeout=TIMEOUT_S, verify=self._trust
            )
            document = response.json()
        except httpx.ConnectError as error:
            what = f"cannot reach {self._root}: {_cause(error)}"
            raise ProblemReported(f"{what}; is weir serve running there?") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProblemReported(f"{self._base}: {error}") from error
        except ValueError as error:
            raise ProblemReported(f"{url} answered {response.status_code} without JSON") from error
        if response.is_error:
            raise _reported(document, response.status_code)
        return document


def find_token(token_file: Path | None) -> str | None:
    """Return the token of ``--token-file``, else of the first of these that there is: ``WEIR_TOKEN``,
    ``WEIR_ADMIN_TOKEN``, the file of ``WEIR_ADMIN_TOKEN_FILE``, the file made here.
    """
    if token_file is None:
        for name in ("WEIR_TOKEN", "WEIR_ADMIN_TOKEN"):
            if token := os.environ.get(name, "").strip():
                return token
    named = token_file or os.environ.get("WEIR_ADMIN_TOKEN_FILE")
    path = Path(named) if named else MADE_TOKEN
    if not named and not path.exists():
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ProblemReported(f"{path}: {error.strerror}") from error


def _json(body: object) -> bytes:
    """Return a body as JSON; bytes of an argument that are no text are escaped, for the gateway to refuse."""
    if isinstance(body, bytes):
        return body
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise ProblemReported("JSON has no number that is not finite, and nothing nested this deeply") from error


def _trust_in(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ProblemReported(f"{ca_file}: {error.strerror or error}") from error


def _cause(error: httpx.ConnectError) -> str:
    """Return the words of the system in lower case, without its number."""
    words = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return words[:1].lower() + words[1:]


def _reported(document: Any, status: int) -> ProblemReported:
    if not isinstance(document, dict):
        return ProblemReported(f"the gateway answered {status}")
    faults = tuple(
        Fault(error["pointer"], error["kind"], error["expected"], error["found"])
        for error in document.get("errors", ())
    )
    # The detail of a document's problem repeats the faults that are printed one by one.
    detail = document.get("title" if faults else "detail") or f"the gateway answered {status}"
    return ProblemReported(detail, kind=document.get("type", ""), faults=faults)
