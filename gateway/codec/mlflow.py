"""The scoring protocol of MLflow: a data frame by rows or by columns, or the rows of TensorFlow Serving.

A body becomes the plain protocol's without its values being looked at, and the plain decoder reads that; so one set of
types is generated from a contract. Faults are told where they stand in the body that came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from gateway.codec.decoded import Decoded
from gateway.codec.limits import check_depth, check_rows
from gateway.codec.plain import PlainDecoder
from gateway.codec.row_faults import pointer
from gateway.contract import Contract
from gateway.errors import BodyMalformed, Fault, InputRejected
from gateway.settings import LimitSettings

__all__ = ["MlflowDecoder"]

_ABSENT = msgspec.Raw()
Relocate = Callable[[Sequence[str]], str]


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    dataframe_split: msgspec.Raw = _ABSENT
    dataframe_records: msgspec.Raw = _ABSENT
    instances: msgspec.Raw = _ABSENT
    inputs: msgspec.Raw = _ABSENT


class _Split(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    columns: list[str]
    data: list[list[msgspec.Raw]]
    index: list[Any] | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_split = msgspec.json.Decoder(_Split).decode
_decode_columns = msgspec.json.Decoder(dict[str, list[msgspec.Raw]]).decode
_encode = msgspec.json.Encoder().encode


class MlflowDecoder:
    """Decode MLflow's bodies for one version. Loop-safe, no state.

    A body has exactly one of ``dataframe_split``, ``dataframe_records``, ``instances`` and ``inputs``; the last is a
    list of rows or an object of columns.
    """

    def __init__(self, contract: Contract, limits: LimitSettings, plain: PlainDecoder) -> None:
        self._limits, self._plain = limits, plain
        self._names = [feature.name for feature in contract.features]

    def decode(self, body: bytes, _json_bytes: int | None = None) -> Decoded:
        """Return the body's rows.

        Raises
        ------
        gateway.errors.RequestInvalid
            The body is malformed, too large, or breaks the contract; every fault is named.
        """
        check_depth(body, self._limits.depth)
        try:
            name, value = _only_member(_decode_body(body))
            if name == "dataframe_split":
                return self._split(_decode_split(value))
            if name == "inputs" and bytes(value).startswith(b"{"):
                return self._by_column(_decode_columns(value))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
            raise BodyMalformed(f"not a scoring request: {exc}") from exc
        return self._plainly(value, lambda parts: pointer(name, *parts))

    def _split(self, split: _Split) -> Decoded:
        """Read rows without names, and the names beside them."""
        columns, rows = split.columns, split.data
        check_rows(len(rows), self._limits.rows)
        places = {column: k for k, column in enumerate(columns)}
        faults = [
            Fault(pointer("dataframe_split", "data", i), "shape", f"{len(columns)} values", f"{len(row)} values")
            for i, row in enumerate(rows)
            if len(row) != len(columns)
        ]
        if len(places) != len(columns):
            faults.append(Fault("/dataframe_split/columns", "shape", "every name once", "a name twice"))
        if faults:
            raise BodyMalformed("the data frame has no shape", faults[:64])

        def relocated(parts: Sequence[str]) -> str:
            row, *cell = parts
            known = [places.get(name, name) if columns != self._names else name for name in cell]
            return pointer("dataframe_split", "data", row, *known)

        named: Any = rows if columns == self._names else [dict(zip(columns, row, strict=True)) for row in rows]
        return self._plainly(_encode(named), relocated)

    def _by_column(self, columns: dict[str, list[msgspec.Raw]]) -> Decoded:
        """Read columns that each have their name."""
        sizes = {len(column) for column in columns.values()}
        if len(sizes) > 1:
            raise BodyMalformed(f"all columns must have the same length, found {sorted(sizes)}")
        check_rows(max(sizes, default=0), self._limits.rows)
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return self._plainly(_encode(rows), lambda parts: pointer("inputs", *reversed(parts)))

    def _plainly(self, rows: msgspec.Raw | bytes, relocate: Relocate) -> Decoded:
        try:
            return self._plain.decode(b'{"instances":' + bytes(rows) + b"}")
        except BodyMalformed as error:
            raise BodyMalformed(str(error), _relocated(error.faults, relocate)) from error
        except InputRejected as error:
            faults = _relocated(error.faults, relocate)
            raise InputRejected(
                error.model, error.version, faults, error.total, error.counts, rows=error.rows
            ) from error


def _only_member(body: _Body) -> tuple[str, msgspec.Raw]:
    given = [(name, getattr(body, name)) for name in body.__struct_fields__ if getattr(body, name) is not _ABSENT]
    if len(given) != 1:
        raise BodyMalformed(f"send exactly one of {', '.join(body.__struct_fields__)}; found {len(given)}")
    return given[0]


def _relocated(faults: Sequence[Fault], relocate: Relocate) -> list[Fault]:
    return [replace(fault, pointer=relocate(_below_instances(fault.pointer))) for fault in faults]


def _below_instances(at: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[2:]]
