"""The plain protocol: ``{"instances": [...]}`` in, ``{"predictions": [...]}`` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.diagnose import diagnose_instances
from gateway.codec.limits import check_depth, check_rows
from gateway.codec.row_rules import row_rules
from gateway.codec.rows import RowGatherer, nested_type, row_types
from gateway.contract import Contract
from gateway.errors import BodyMalformed, RequestInvalid
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = ["PlainDecoder", "PlainTexts", "PlainWriter", "encode_predictions", "peek_model", "rows_of", "values_of"]


class _Envelope(msgspec.Struct, gc=False):
    model: str | None = None


class PlainTexts(NamedTuple):
    """Predictions and scores of each row of a run as JSON; no scores where the version has none."""

    predictions: list[bytes]
    scores: list[bytes] | None

    def of(self, start: int | None, n: int) -> tuple[bytes, bytes]:
        """Return both for one answer: for so many rows from ``start`` on, for all where that is ``None``."""
        predictions, scores = self
        if start is not None:
            if n == 1:  # mostly, and half as dear as slices
                return predictions[start], b"" if scores is None else scores[start]
            predictions, scores = predictions[start : start + n], scores and scores[start : start + n]
        return b",".join(predictions), b",".join(scores or ())


_NUMBERS = frozenset((int, float))
_encode = msgspec.json.Encoder().encode
_peek = msgspec.json.Decoder(_Envelope).decode


class PlainWriter:
    """Writes plain answers of one version in one role. What never changes is encoded once, and all rows of a run with
    two calls: a request of a batch costs a third of what encoding its answer by itself does.

    A non-finite number becomes ``null``, since JSON has none. ``classes`` and ``probabilities`` are there where the
    model has them. ``template`` is a body with places for the request id, the predictions and the scores of its rows,
    ``fixed_bytes`` its length without them.
    """

    def __init__(self, model: str, version: str, variant: str, classes: Sequence[Any]) -> None:
        facts = _encode({"model": model, "version": version, "variant": variant})[1:]
        before = b'","%b,"predictions":[' % facts[1:-1]
        after = b'],"classes":%b,"probabilities":[' % _encode(list(classes)) if classes else b""
        parts = [part.replace(b"%", b"%%") for part in (b'{"id":"', before, after, b"]}")]
        self.template = b"%b".join(parts)
        self.fixed_bytes = len(self.template % (b"", b"", b""))
        self.has_scores = bool(classes)

    def texts(self, predictions: Sequence[Any], scores: Sequence[Sequence[float]] | None) -> PlainTexts:
        """Return the JSON of all rows of a run."""
        return PlainTexts(values_of(predictions), rows_of(scores or []) if self.has_scores else None)

    def write(self, request_id: bytes, texts: PlainTexts) -> bytes:
        """Return the body of an answer with all of these rows; the id goes between the quotes as it is."""
        return self.template % (request_id, *texts.of(None, 0))


def values_of(values: Sequence[Any]) -> list[bytes]:
    """Return each value as JSON; numbers for the price of one encoding.

    >>> values_of([1, 2.5]), values_of(["a,b"])
    ([b'1', b'2.5'], [b'"a,b"'])
    """
    if values and _NUMBERS.issuperset(map(type, values)):
        return _encode(values)[1:-1].split(b",")
    return [_encode(value) for value in values]


def rows_of(scores: Sequence[Sequence[float]]) -> list[bytes]:
    """Return each row of scores as JSON, for the price of one encoding.

    >>> rows_of([[0.25, 0.75], [1.0, 0.0]])
    [b'[0.25,0.75]', b'[1.0,0.0]']
    """
    return _encode(scores)[1:-1].replace(b"],[", b"]\n[").split(b"\n")


def encode_predictions(predictions: Any) -> bytes:
    """Return the JSON of an answer that holds nothing but its predictions.

    >>> encode_predictions(["spam"])
    b'{"predictions":["spam"]}'
    """
    return _encode({"predictions": predictions})


def peek_model(body: bytes) -> str | None:
    """Return the body's ``model`` member without decoding the rows; ``None`` where it has none or is not JSON."""
    try:
        return _peek(body).model
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


class PlainDecoder:
    """Decode plain bodies for one version, straight into a struct generated from its contract.

    Loop-safe. Costs about a microsecond a row of 30 numbers when the row is fine; a row that is not is looked at
    again by a slow pass that names every fault. ``takes_together`` says whether ``pending_all`` decodes anything.
    """

    def __init__(
        self,
        contract: Contract,
        inputs: Mapping[str, TensorSpec],
        limits: LimitSettings,
        *,
        names: tuple[str, str],
        ranks: Mapping[str, int],
    ) -> None:
        self._contract, self._limits, self._names = contract, limits, names
        self._rules = row_rules(contract)
        tensor = next(iter(inputs.values())) if contract.layout == "tensors" and len(inputs) == 1 else None
        self._tensor = tensor if tensor and tensor.shape else None
        self.gatherer: RowGatherer | None = None
        row: Any = nested_type(self._tensor.dtype, len(self._tensor.shape) - 1) if self._tensor else list[Any]
        if contract.layout != "tensors":
            dtype = inputs[contract.input_name].dtype if contract.layout == "matrix" else "float32"
            self.gatherer = RowGatherer(contract, ranks, dtype, rules=self._rules)
            is_bounded = not (self.gatherer.may_wait and dtype.startswith("float"))
            row = row_types(contract, dtype if contract.layout == "matrix" else "float64", is_bounded=is_bounded)
        body = msgspec.defstruct(
            "PredictBody",
            [("instances", list[row]), ("model", str | None, None)],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(body).decode
        self._checks_depth = contract.unknown_features == "ignore" or contract.layout == "tensors"
        may_wait = self.gatherer is not None and self.gatherer.may_wait
        self.takes_together = may_wait and not self._checks_depth

    def decode(self, body: bytes) -> Decoded:
        """Return the body's rows.

        Raises
        ------
        gateway.errors.RequestInvalid
            The body is malformed, too large, or breaks the contract; every fault is named.
        """
        rows = self._rows(body)
        try:
            return self.gatherer.gather(rows) if self.gatherer else self._tensors(rows)
        except (RowsRefused, ArithmeticError, ValueError, TypeError) as exc:
            raise self.diagnosis(body, exc) from exc

    def pending(self, body: bytes, _json_bytes: int | None = None) -> Decoded:
        """Return the body's rows as ``decode`` does, where possible as cells that ``gatherer.stack`` judges."""
        gatherer = self.gatherer
        if gatherer is None or not gatherer.may_wait:
            return self.decode(body)
        rows = self._rows(body)
        n = len(rows)
        if n == 1 and type(rows[0]) is tuple:  # mostly, and a call is 0.1 us
            return Decoded(1, {}, None, cells=rows)
        return Decoded(n, {}, None, cells=gatherer.cells(rows))

    def pending_all(self, bodies: Sequence[bytes]) -> list[Decoded | None]:
        """Return the rows of several bodies as ``pending`` does, all that need no second look; ``None`` for others.

        There are none where not ``takes_together``.
        """
        gatherer, decode, most, name = self.gatherer, self._decode, self._limits.rows, self._names[0]
        if gatherer is None or not self.takes_together:
            return [None] * len(bodies)
        found: list[Decoded | None] = []
        for body in bodies:
            try:
                request: Any = decode(body)
            except Exception:  # whatever it is, ``pending`` tells whom it concerns
                found.append(None)
                continue
            rows = request.instances
            n = len(rows)
            if not 0 < n <= most or (request.model is not None and request.model != name):
                found.append(None)
            else:
                cells = rows if n == 1 and type(rows[0]) is tuple else gatherer.cells(rows)
                found.append(Decoded(n, {}, None, cells=cells))
        return found

    def diagnosis(self, body: bytes, cause: Exception) -> RequestInvalid:
        """Return the error that names every fault of a body which did not decode, or whose rows were refused."""
        return diagnose_instances(body, self._contract, self._limits, names=self._names, cause=cause, rules=self._rules)

    def _rows(self, body: bytes) -> list[Any]:
        try:
            if self._checks_depth:
                check_depth(body, self._limits.depth)
            request: Any = self._decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
            raise self.diagnosis(body, exc) from exc
        rows: list[Any] = request.instances
        if request.model is not None and request.model != self._names[0]:
            raise BodyMalformed(f"the body names model {request.model!r}, the path {self._names[0]!r}")
        if not 0 < len(rows) <= self._limits.rows:
            check_rows(len(rows), self._limits.rows)
        return rows

    @np.errstate(over="raise")
    def _tensors(self, rows: list[Any]) -> Decoded:
        if self._tensor is None:
            raise BodyMalformed("this model's inputs are no batch of rows: use the Open Inference Protocol under /v2")
        values = np.array(rows, object if self._tensor.dtype == "string" else self._tensor.dtype)
        expected = self._tensor.shape[1:]
        if len(expected) != values.ndim - 1 or any(
            e not in (-1, f) for e, f in zip(expected, values.shape[1:], strict=False)
        ):
            raise BodyMalformed(f"each instance must have shape {list(expected)}, found {list(values.shape[1:])}")
        return Decoded(len(rows), {self._tensor.name: values}, None)
