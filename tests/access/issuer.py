"""An OpenID Connect issuer on a port of this host: discovery, keys, and tokens that it signs, as tests want them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

__all__ = ["AUDIENCE", "LocalIssuer"]

AUDIENCE = "weir-of-the-tests"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class LocalIssuer:
    """Serves ``documents`` by path, or answers ``status`` where that is not 200; ``asked`` counts requests by path.

    It has the keys ``rsa`` (RS256) and ``ec`` (ES256) from the start.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.status = 200
        self.keys: dict[str, Key] = {
            "rsa": rsa.generate_private_key(65_537, 2_048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        }
        self.publish("rsa", "ec")
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> LocalIssuer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def publish(self, *names: str) -> None:
        """Have these keys, and no others."""
        self.documents["/keys"] = {"keys": [self.public(name) for name in names]}

    def public(self, name: str) -> dict[str, Any]:
        """Return a key's public half, as JSON Web Key."""
        key = self.keys[name].public_key()
        half = RSAAlgorithm.to_jwk(key, True) if isinstance(key, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(key, True)
        return {**half, "kid": name, "use": "sig"}

    def token(
        self, key: str = "rsa", *, algorithm: str = "", headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Return a token for ann, an operator, with these claims besides; ``None`` leaves one out."""
        now = int(time.time())
        told = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ann",
            "exp": now + 600,
            "iat": now,
            "roles": ["ops"],
            **claims,
        }
        held = {name: value for name, value in told.items() if value is not None}
        signed_by = self.keys[key]
        chosen = algorithm or ("RS256" if isinstance(signed_by, rsa.RSAPrivateKey) else "ES256")
        return jwt.encode(held, signed_by, chosen, {"kid": key, **(headers or {})})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked[self.path] += 1
                document = issuer.documents.get(self.path)
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(issuer.status if document is not None else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
