"""What does the access log cost?

Run: ``.venv/bin/python -m benchmarks.access_log_cost``

Claim: off, nothing of it is on the way of a request. On, a request takes the ASGI way, as it does with
``serving.fast_path: false``, and its line, which a thread formats and writes, costs more than the request itself.

Told is the processor time of the worker for each request, its threads together, see ``request_cost``; quote the ratio.
"""

from __future__ import annotations

import statistics

from benchmarks.request_cost import costs_us, report

OFF, ASGI, ON = "off, fast path", "off, ASGI way", "on"
KINDS: dict[str, dict[str, str]] = {
    OFF: {},
    ASGI: {"WEIR_SERVING__FAST_PATH": "false"},
    ON: {"WEIR_ACCESS_LOG": "true"},
}


def main() -> None:
    """Run the rounds, and print the table and the ratios of rounds that were run side by side."""
    found = costs_us(KINDS, log_level="info")
    report(found)
    for name in (OFF, ASGI):
        ratios = [on / off for on, off in zip(found[ON], found[name], strict=True)]
        print(f"on / {name:14s} {statistics.median(ratios):.2f}  (range {min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
