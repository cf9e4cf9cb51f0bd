"""TLS on the listening sockets: the certificate, its key, and what is said when they do not fit."""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.errors import DocumentInvalid, Fault
from gateway.settings import Settings

__all__ = ["server_context"]


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context of a server with the configured certificate, ``None`` where there is none.

    Raises
    ------
    DocumentInvalid
        A file cannot be read, is not PEM, needs a pass phrase, or the key is another certificate's.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    faults = [
        fault
        for name, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key))
        if (fault := _unreadable(name, path)) is not None
    ]
    if faults:
        raise DocumentInvalid("TLS", faults)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of its own OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except ssl.SSLError as error:
        expected = "a certificate in PEM and the key that belongs to it, without a pass phrase"
        raise DocumentInvalid("TLS", [Fault("/tls_cert", "value", expected, _reason(error))]) from error
    return context


def _unreadable(name: str, path: Path) -> Fault | None:
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return Fault(f"/{name}", "missing", "a file that can be read", f"{path}: {error.strerror}")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "files that are no PEM").lower().replace("_", " ")
