"""httpx for plain HTTP on this machine: requests and clients that load no certificates.

httpx reads every certificate authority of the system for each client it makes, also where no TLS follows: 20 to 55 ms
of CPU. A test that polls has no more use for them than a processor has time.
"""

import ssl
from functools import partial

import httpx

__all__ = ["TRUSTS_NOBODY", "Client", "get", "post"]

TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""A TLS context that refuses every server; plain HTTP does not ask it."""

Client = partial(httpx.Client, verify=TRUSTS_NOBODY)
get = partial(httpx.get, verify=TRUSTS_NOBODY)
post = partial(httpx.post, verify=TRUSTS_NOBODY)
