"""The connection to a collector, as OpenTelemetry's exporter uses it: by the library requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from gateway.errors import shortened

__all__ = ["CollectorSession"]


class CollectorSession(requests.Session):
    """Trusts the certificates of the settings, where requests would prefer those that the environment names.

    Without ``ca_file`` those of ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` hold, or else the system's.
    """

    def __init__(self, ca_file: Path | None) -> None:
        super().__init__()
        self._trusted = None if ca_file is None else str(ca_file)

    def request(self, *args: Any, **named: Any) -> requests.Response:
        """Send a request; raise ``RequestException`` for an answer that leads elsewhere, where nobody has taken it.

        OpenTelemetry does not follow it, and believes that every answer below 400 has taken the spans.
        """
        answer = super().request(*args, **named)
        if 300 <= answer.status_code < 400:
            place = shortened(answer.headers.get("location", "an address that it does not name"))
            raise requests.RequestException(f"{answer.status_code} leads to {place}: name it in tracing.endpoint")
        return answer

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of one request."""
        return super().merge_environment_settings(url, proxies, stream, self._trusted or verify, cert)
