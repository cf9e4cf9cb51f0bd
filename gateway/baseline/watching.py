"""What the watch knows of accepted baselines."""

from __future__ import annotations

import logging

from gateway.baseline.document import baseline_key, decode_baseline
from gateway.state.reader import DocumentReader
from gateway.state.store import Document, StateStore
from monitors.records import Baseline

__all__ = ["baseline_reader"]


def baseline_reader(store: StateStore) -> DocumentReader[Baseline]:
    """Return the reader of all baselines of a store that hold."""
    return DocumentReader(store, baseline_key(""), _known, logging.getLogger("weir.baseline"))


def _known(model: str, document: Document) -> Baseline:
    asked = decode_baseline(document).accepted
    return Baseline(model, asked.version, asked.digest, asked.evidence.encode(), asked.factor)
