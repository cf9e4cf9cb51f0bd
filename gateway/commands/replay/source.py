"""What is replayed through what: the kind of a file, and the version in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.catalog.bundle import BundleLimits
from gateway.catalog.repository import Repository
from gateway.commands.problem import ProblemReported, require_extra
from gateway.commands.reference_hints import hints_of
from gateway.commands.replay.block import Block
from gateway.commands.replay.log_blocks import LogSource
from gateway.commands.replay.table_blocks import read_table_blocks
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from gateway.extras import PARQUET
from monitors.records import Variant
from monitors.reference import ProfileInvalid

__all__ = ["blocks_of", "is_log", "load_folder"]

PARQUET_FILE = ".parquet"
LINES = (".jsonl", ".jsonl.gz", ".ndjson")
UNREADABLE = (".feather", ".arrow", ".xlsx", ".json", ".csv.gz", ".zip")


def is_log(path: Path) -> bool:
    """Return whether a file is read as a prediction log; else it is a table.

    Raises
    ------
    ProblemReported
        There is no such file, it is of a kind that is not read, or what reads Parquet is not installed.
    """
    if path.suffix == PARQUET_FILE:
        return _is_exported_log(path)
    if path.is_dir():
        return True
    if not path.is_file():
        raise ProblemReported(f"there is no file {path}")
    if path.name.endswith(UNREADABLE):
        raise ProblemReported(
            f"{path.name}: a table is read as plain CSV or .parquet, a prediction log as .jsonl, .jsonl.gz or .parquet"
        )
    return path.name.endswith(LINES)


def blocks_of(path: Path, version: ServableVersion, variant: Variant, time_column: str = "") -> Iterator[Block]:
    """Give the rows of a table or a log in blocks, with the version's answers."""
    if is_log(path):
        return LogSource(path, version.info, variant).blocks()
    if path.suffix == PARQUET_FILE:
        from gateway.commands.replay.parquet_blocks import read_parquet_blocks

        return read_parquet_blocks(path, version, time_column)
    return read_table_blocks(path, version, time_column)


def _is_exported_log(path: Path) -> bool:
    """Return whether a Parquet file was exported from a log."""
    if path.is_dir():
        raise ProblemReported(f"{path} is a folder: give one Parquet file, or write the table as one")
    if not path.is_file():
        raise ProblemReported(f"there is no file {path}")
    require_extra(PARQUET, f"reading {path.name}")
    from gateway.codec.parquet import ParquetReader, ParquetRefused
    from gateway.prediction_log.flat import is_flat_log

    try:
        with ParquetReader(path) as file:
            return is_flat_log(file)
    except ParquetRefused as exc:
        raise ProblemReported(str(exc)) from exc


def load_folder(folder: Path) -> ServableVersion:
    """Load the version that lies in a folder.

    Raises
    ------
    ProblemReported
        It is no folder of a version, or its model takes tensors and no named features.
    gateway.errors.VersionRefused, gateway.errors.DocumentInvalid
        What is in it cannot be served.
    """
    place = folder.resolve()
    if not (place / "model.onnx").is_file():
        raise ProblemReported(f"{folder} holds no model.onnx: give the folder of a version, such as models/fraud/3")
    bundle = Repository(place.parent.parent, limits=BundleLimits()).read(place.parent.name, place.name)
    try:
        version = load_version(bundle, hints_of=hints_of)
    except ProfileInvalid as exc:
        raise ProblemReported(f"{folder / 'reference.json'}: {exc}") from exc
    if version.contract.layout == "tensors":
        raise ProblemReported(f"{bundle.model} version {bundle.version} takes tensors; a replay needs named features")
    return version
