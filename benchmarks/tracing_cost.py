"""What do traces cost a worker, off and on?

Run: ``.venv/bin/python -m benchmarks.tracing_cost``

Claim: off, the fast path answers as before, for nothing of tracing is on it. On, a request takes the ASGI way, and
its spans add to that what the sampled share of requests costs.

Told is the processor time of the worker for each request, its threads together, see ``request_cost``. The collector,
on the last core, reads what comes and answers 200.
"""

from __future__ import annotations

import os
import sys

from benchmarks.request_cost import costs_us, report, running

COLLECTOR_PORT = 18_090
COLLECTOR = """
import http.server, sys
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): ...
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
"""
ENDPOINT = {"WEIR_TRACING__ENDPOINT": f"http://127.0.0.1:{COLLECTOR_PORT}", "NO_PROXY": "127.0.0.1"}
KINDS: dict[str, dict[str, str]] = {
    "off, fast path": {},
    "off, ASGI way": {"WEIR_SERVING__FAST_PATH": "false"},
    "on, none sampled": {**ENDPOINT, "WEIR_TRACING__SAMPLE_RATIO": "0"},
    "on, 1 % sampled": {**ENDPOINT, "WEIR_TRACING__SAMPLE_RATIO": "0.01"},
    "on, all sampled": {**ENDPOINT, "WEIR_TRACING__SAMPLE_RATIO": "1"},
}


def main() -> None:
    """Run the rounds and print the table."""
    core = max(os.sched_getaffinity(0))
    with running([sys.executable, "-c", COLLECTOR, str(COLLECTOR_PORT)], core, {}):
        report(costs_us(KINDS))


if __name__ == "__main__":
    main()
