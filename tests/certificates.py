"""Certificates for tests, made by the ``openssl`` command; without it the test fails."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Certificate", "make_certificate"]

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that signs itself, for 127.0.0.1, and its key."""

    cert: Path
    key: Path


def make_certificate(folder: Path, name: str = "weir", *, pass_phrase: str | None = None) -> Certificate:
    """Make one that is valid for a day."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    secrecy = ["-noenc"] if pass_phrase is None else ["-passout", f"pass:{pass_phrase}"]
    names = ["-subj", "/CN=weir", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    command = ["openssl", "req", "-x509", *_KEY, *secrecy, *names, "-keyout", str(made.key), "-out", str(made.cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made
