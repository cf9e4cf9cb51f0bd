"""A baseline from a table or a prediction log: fitted, replayed crosswise, ready to be accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.commands.problem import ProblemReported
from gateway.commands.replay.block import Block, joined
from gateway.commands.replay.row_times import TimeOrder
from gateway.commands.replay.source import blocks_of, load_folder
from gateway.prediction_log.lines import utc_text
from monitors.calibration import calibrate
from monitors.evidence.budget import Budget
from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.ticks import Ticks
from monitors.records import Variant
from monitors.reference import segment_of

__all__ = ["Offered", "offer_baseline"]

TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Offered:
    """A fitted baseline of a version, and what its replays foretell."""

    model: str
    version: str
    digest: str
    rows: int
    begin: str
    end: str
    factor: float
    pages_per_week: float
    predicted: float
    upper: float
    evidence: str


def offer_baseline(
    file: Path, folder: Path, variant: Variant, most_rows: int, pages_per_week: float, *, model: str = ""
) -> Offered:
    """Fit on the newest rows of a file, and replay them until the budget holds.

    Where a ``model`` is named, the version in the folder is to be one of its.

    Raises
    ------
    ProblemReported
        The folder holds another model, or the rows promise nothing, and why.
    gateway.commands.table.TableInvalid
        The file cannot be read.
    """
    version = load_folder(folder)
    if model and version.model != model:
        raise ProblemReported(f"{folder} is a version of {version.model}, not of {model}")
    block = _newest(TimeOrder().follow(blocks_of(file, version, variant), TICK_S), most_rows)
    info, times_n = version.info, block.times_n
    ticks, segment = Ticks() if times_n is None else Ticks(seconds=TICK_S), segment_of(info)
    found = calibrate(
        block.rows,
        info.features,
        info.output,
        budget=Budget(pages_per_week=pages_per_week),
        segment=segment,
        ticks=ticks,
        times_s=times_n,
    )
    if found.level == "uncalibrated":
        raise ProblemReported(f"{file.name} promises nothing as a baseline: {found.why}")
    fitted = EvidenceModel.fit(block.rows, info.features, info.output, segment=segment)
    begin, end = ("", "") if times_n is None else (utc_text(float(times_n[0])), utc_text(float(times_n[-1])))
    return Offered(
        model=info.model,
        version=info.version,
        digest=info.digest,
        rows=len(block.rows),
        begin=begin,
        end=end,
        factor=found.factor,
        pages_per_week=pages_per_week,
        predicted=found.predicted,
        upper=found.upper,
        evidence=write_model(fitted).decode(),
    )


def _newest(blocks: Iterable[Block], most_rows: int) -> Block:
    """Return the newest rows; memory holds them and a block more."""
    kept: deque[Block] = deque()
    held = 0
    for block in blocks:
        kept.append(block)
        held += len(block.rows)
        while held - len(kept[0].rows) >= most_rows:
            held -= len(kept.popleft().rows)
    rows = joined(list(kept))
    times = [block.times_n for block in kept if block.times_n is not None]
    times_n = np.concatenate(times) if times else None
    start = max(0, len(rows) - most_rows)
    return Block(rows.part(start, len(rows)), None if times_n is None else times_n[start:])
