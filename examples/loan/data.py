"""Loan applications by River's Agrawal generator: validated, then split into rows to learn from and rows to judge by.

References
----------
Agrawal, Imielinski and Swami, *Database Mining: A Performance Perspective*, IEEE Transactions on Knowledge and Data
Engineering 5(6), 1993.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from river.datasets import synth

from examples.loan.stages import Stage

__all__ = ["CATEGORIES", "LABELS", "NUMBERS", "Row", "generate", "read_rows", "split", "validate"]

Row = dict[str, str]

NUMBERS = {
    "salary": (20_000, 150_000),
    "commission": (0, 85_000),
    "age": (20, 80),
    "hvalue": (0, 1_350_000),
    "hyears": (1, 30),
    "loan": (0, 500_000),
}
"""Numeric features, and from where to where they may reach."""

CATEGORIES = {
    "elevel": [str(level) for level in range(5)],
    "car": [str(make) for make in range(1, 21)],
    "zipcode": [str(code) for code in range(9)],
}
"""Education, make of car, and zip code of the applicant."""

LABELS = ("declined", "granted")
UNSURE = 10_000.0
"""Money around the line of the paper's seventh function within which clerks decide now so, now so."""

BROKEN_EVERY = 500


def generate(out: Path, *, rows: int, seed: int) -> None:
    """Write ``raw.csv``: applications with the decision that was taken, some of them broken, as exports are."""
    random = Random(seed)
    with (out / "raw.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*NUMBERS, *CATEGORIES, "decision"])
        writer.writeheader()
        for i, (row, _) in enumerate(islice(synth.Agrawal(classification_function=6, seed=seed), rows)):
            told = {name: f"{row[name]:.2f}" for name in NUMBERS} | {name: str(row[name]) for name in CATEGORIES}
            left = 2 * (row["salary"] + row["commission"]) / 3 - row["loan"] / 5 - 20_000
            told["decision"] = LABELS[random.random() < 1 / (1 + math.exp(-left / UNSURE))]
            if i % BROKEN_EVERY == BROKEN_EVERY - 1:
                told["age"] = "unknown"
            writer.writerow(told)


def validate(out: Path, raw: Stage) -> None:
    """Write ``valid.csv``, ``refused.csv`` and ``validation.json``; raise where the data are not fit to learn from."""
    valid, refused, faults = list[Row](), list[Row](), Counter[str]()
    for row in read_rows(raw / "raw.csv"):
        fault = _fault(row)
        (refused if fault else valid).append(row)
        faults.update([fault] if fault else [])
    shares = {label: sum(row["decision"] == label for row in valid) / max(1, len(valid)) for label in LABELS}
    if len(refused) > 0.01 * (len(valid) + len(refused)) or min(shares.values()) < 0.05:
        raise ValueError(f"{len(refused)} of {len(valid) + len(refused)} rows refused, classes {shares}: not fit")
    _write(out / "valid.csv", valid)
    _write(out / "refused.csv", refused)
    (out / "validation.json").write_text(json.dumps({"rows": len(valid), "faults": faults, "classes": shares}))


def split(out: Path, valid: Stage, *, holdout: float, seed: int) -> None:
    """Write ``learn.csv`` and ``holdout.csv``, with the age band that groups are told apart by."""
    rows = list(read_rows(valid / "valid.csv"))
    Random(seed).shuffle(rows)
    for row in rows:
        row["age_band"] = "young" if float(row["age"]) < 40 else "middle" if float(row["age"]) < 60 else "old"
    cut = round(len(rows) * holdout)
    _write(out / "holdout.csv", rows[:cut])
    _write(out / "learn.csv", rows[cut:])


def read_rows(path: Path) -> Iterator[Row]:
    """Give the rows of a table, cells as text."""
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def _fault(row: Row) -> str:
    for name, (low, high) in NUMBERS.items():
        try:
            value = float(row[name])
        except ValueError:
            return f"{name} is no number"
        if not math.isfinite(value) or not low <= value <= high:
            return f"{name} is out of range"
    strange = [name for name, known in CATEGORIES.items() if row[name] not in known]
    return f"{strange[0]} is unknown" if strange else "" if row["decision"] in LABELS else "decision is unknown"


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [*NUMBERS, *CATEGORIES, "decision"])
        writer.writeheader()
        writer.writerows(rows)
