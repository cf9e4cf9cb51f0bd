"""The metrics page as tests ask it."""

from __future__ import annotations

from time import monotonic, sleep

from tests import loopback

__all__ = ["MetricsPage"]

_PATIENCE_S = 30.0


class MetricsPage:
    """One answer of ``/metrics``.

    Attributes
    ----------
    samples
        Every sample's value, by its text before the value.
    totals
        Those of them that may never shrink: counters and histograms.
    """

    def __init__(self, text: str) -> None:
        self.samples: dict[str, float] = {}
        self.totals: dict[str, float] = {}
        kind = ""
        for line in text.splitlines():
            sample, _, last = line.rpartition(" ")
            if sample.startswith("# TYPE"):
                kind = last
            elif not line.startswith("#"):
                self.samples[sample] = float(last)
                if kind in ("counter", "histogram"):
                    self.totals[sample] = float(last)

    @classmethod
    def of(cls, url: str) -> MetricsPage:
        """Read the page of a gateway; ask again while it is a 503, since the watch may be the last to start."""
        latest = monotonic() + _PATIENCE_S
        while (answer := loopback.get(f"{url}/metrics", timeout=10.0)).status_code == 503 and monotonic() < latest:
            sleep(0.05)
        return cls(answer.raise_for_status().text)

    def has(self, name: str) -> bool:
        """Return whether a metric has samples."""
        return any(sample.partition("{")[0] == name for sample in self.samples)

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = {sample: value for sample, value in self.samples.items() if sample.partition("{")[0] == name}
        return sum(value for sample, value in found.items() if all(text in sample for text in wanted))
