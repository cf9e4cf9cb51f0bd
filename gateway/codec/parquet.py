"""Parquet files as columns of plain values: read in batches of bounded size, written in row groups.

pyarrow lives here. It is the extra ``weir[parquet]``: whoever imports this module has asked for it before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
from pyarrow import parquet

__all__ = ["Kind", "ParquetReader", "ParquetRefused", "ParquetWriter", "Written"]

Kind = Literal["bool", "whole", "number", "text", "texts", "time", "nothing", "other"]
"""What a column holds; ``nothing`` is a column of nulls that has no type, ``other`` what has no plain values."""
Written = Literal["whole", "number", "text", "texts", "time"]

Columns = dict[str, list[Any]]

MOST_BATCH_ROWS = 4096
MOST_BATCH_BYTES = 64 * 1024**2
LONGEST_TEXT = 64 * 1024
"""Characters of a value. A file holds it once for any number of rows, and a model gets it for each of them."""
READ_BYTES = 1024**2
MOST_TOLD = 300


class ParquetRefused(ValueError):
    """A file that cannot be read or written as Parquet; the text names file, column and what is wrong."""


class ParquetReader:
    """One file, open for reading.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    columns
        Names of its columns, in their order; a name may be there twice.

    Raises
    ------
    ParquetRefused
        It is no Parquet file, not whole, or cannot be opened.

    Notes
    -----
    Memory holds a page of each column that is read, its dictionary, and a batch of at most 4,096 rows and about 64 MiB.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        with _refusing(self.name):
            shut = {"pre_buffer": False, "buffer_size": READ_BYTES, "page_checksum_verification": True}
            with parquet.ParquetFile(path, **shut) as file:
                self._schema, metadata = file.schema_arrow, file.metadata
            texts = [field.name for field in self._schema if _is_text(field.type)]
            # a text that stands once in the file's dictionary is not copied for each of its rows
            self._file = parquet.ParquetFile(path, metadata=metadata, read_dictionary=texts, **shut)
        self.columns: list[str] = list(self._schema.names)
        self._batch_rows = _batch_rows(metadata)

    def __enter__(self) -> ParquetReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def kind(self, column: str) -> Kind:
        """Return what a column holds."""
        return _kind(self._schema.field(column).type)

    def type_name(self, column: str) -> str:
        """Return a column's type as Arrow calls it."""
        return str(self._schema.field(column).type)

    def batches(self, columns: Sequence[str]) -> Iterator[Columns]:
        """Give the rows in their order: for each column a list, a value a row, ``None`` for null and NaN.

        Times are Unix seconds, those without a zone UTC. Columns are named once, and none is of the kind ``other``.

        Raises
        ------
        ParquetRefused
            A page is damaged, or a text is no UTF-8 or longer than 65,536 characters.
        """
        batches = self._file.iter_batches(self._batch_rows, columns=list(columns), use_threads=False)
        while True:
            with _refusing(self.name):
                batch = next(batches, None)
            if batch is None:
                return
            yield {column: self._values(batch, column) for column in columns}

    def _values(self, batch: Any, column: str) -> list[Any]:
        with _refusing(f"{self.name}, column {column!r}"):
            array = batch.column(column)
            values = _plain_values(array, _kind(array.type))
        if _is_text(array.type) and any(value is not None and len(value) > LONGEST_TEXT for value in set(values)):
            raise ParquetRefused(f"{self.name}, column {column!r} has a text of more than {LONGEST_TEXT:,} characters")
        return values


class ParquetWriter:
    """Writes columns of plain values, a row group at a time.

    Parameters
    ----------
    target
        Where to write; it is not closed. Without ``close``, or leaving a ``with``, nothing of it can be read.
    columns
        Name and kind of each column; times are whole microseconds since 1970, UTC.
    """

    def __init__(self, target: BinaryIO, columns: Mapping[str, Written]) -> None:
        self._schema = pa.schema([(name, _WRITTEN[kind]()) for name, kind in columns.items()])
        self._writer = parquet.ParquetWriter(target, self._schema, compression="zstd", write_page_checksum=True)

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write a row group.

        Raises
        ------
        ParquetRefused
            A value is not of its column's kind.
        """
        arrays = []
        for field in self._schema:
            try:
                arrays.append(pa.array(columns[field.name], field.type))
            except (pa.ArrowException, UnicodeEncodeError, OverflowError) as exc:
                raise ParquetRefused(f"column {field.name!r}: {_first_line(exc)}") from exc
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the end."""
        self._writer.close()

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception) if exc else nullcontext():  # what went wrong first is what counts
            self.close()


_WRITTEN = {
    "whole": pa.int64,
    "number": pa.float64,
    "text": pa.string,
    "texts": lambda: pa.list_(pa.string()),
    "time": lambda: pa.timestamp("us", tz="UTC"),
}


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError, KeyError) as exc:
        raise ParquetRefused(f"{where} cannot be read as Parquet: {_first_line(exc)}") from exc


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:MOST_TOLD]


def _batch_rows(metadata: Any) -> int:
    """Return how many rows of the widest row group are about 64 MiB, 4,096 at most."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows > 0), default=1.0)
    return int(min(MOST_BATCH_ROWS, max(1.0, MOST_BATCH_BYTES / max(widest, 1.0))))


def _kind(type_: Any) -> Kind:
    types = pa.types
    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    if types.is_list(type_) or types.is_large_list(type_):
        return "texts" if _is_text(type_.value_type) else "other"
    known: tuple[tuple[Kind, Any], ...] = (
        ("bool", types.is_boolean),
        ("whole", types.is_integer),
        ("number", types.is_floating),
        ("text", _is_text),
        ("time", types.is_timestamp),
        ("time", types.is_date),
        ("nothing", types.is_null),
    )
    return next((kind for kind, is_of in known if is_of(type_)), "other")


def _is_text(type_: Any) -> bool:
    if pa.types.is_dictionary(type_):
        return _is_text(type_.value_type)
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def _plain_values(array: Any, kind: Kind) -> list[Any]:
    if kind == "text":
        return _texts(array if pa.types.is_dictionary(array.type) else array.dictionary_encode())
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind in ("nothing", "texts"):
        return list(array.to_pylist())
    if kind == "time":
        return _seconds(array)
    missing_n = np.asarray(array.is_null(nan_is_null=True))
    values = array.fill_null(False if kind == "bool" else 0).to_numpy(zero_copy_only=False).tolist()
    return values if not missing_n.any() else _with_missing(values, missing_n)


def _texts(array: Any) -> list[Any]:
    words = [*array.dictionary.to_pylist(), None]
    codes = array.indices.cast(pa.int64()).fill_null(len(words) - 1).to_numpy()
    return [words[code] for code in codes.tolist()]


def _seconds(array: Any) -> list[Any]:
    """Return times as Unix seconds; a nanosecond is rounded to what a double holds, a quarter of a microsecond."""
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    ticks = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[array.type.unit]
    missing_n = np.asarray(array.is_null())
    counts_n = array.cast(pa.timestamp(array.type.unit)).cast(pa.int64()).fill_null(0).to_numpy()
    return _with_missing((counts_n / ticks).tolist(), missing_n)


def _with_missing(values: list[Any], missing_n: Any) -> list[Any]:
    return [None if missing else value for value, missing in zip(values, missing_n.tolist(), strict=True)]
