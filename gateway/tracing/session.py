"""The connection to a collector, as OpenTelemetry's exporter uses it: by the library requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

__all__ = ["CollectorSession"]


class CollectorSession(requests.Session):
    """Trusts the certificates of the settings, where requests would prefer those that the environment names.

    Without ``ca_file`` those of ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` hold, or else the system's.
    """

    def __init__(self, ca_file: Path | None) -> None:
        super().__init__()
        self._trusted = None if ca_file is None else str(ca_file)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of one request."""
        return super().merge_environment_settings(url, proxies, stream, self._trusted or verify, cert)
