"""The slow second pass: after the fast decoder refused a body, say everything that is wrong with it, by JSON
Pointer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import time
from typing import Any

from gateway.codec.decoded import RowsRefused
from gateway.codec.limits import check_depth
from gateway.codec.row_faults import NotFinite, found_name, pointer, row_faults, value_faults
from gateway.codec.row_rules import RowRules
from gateway.contract import Contract
from gateway.errors import BodyMalformed, BodyTooLarge, Fault, InputRejected, RequestInvalid
from gateway.settings import LimitSettings

__all__ = ["MAX_FAULTS", "diagnose_instances", "diagnose_tensors"]

MAX_FAULTS = 64


def diagnose_instances(
    body: bytes,
    contract: Contract,
    limits: LimitSettings,
    *,
    names: tuple[str, str],
    cause: Exception,
    rules: RowRules | None = None,
) -> RequestInvalid:
    """Return the error that names every fault of a plain body (up to ``MAX_FAULTS`` in detail, all counted).

    A row is held to the rules where its shape and its types are right.
    """
    try:
        document = _parse(body, limits)
    except RequestInvalid as error:
        return error
    if isinstance(cause, BodyMalformed):
        return cause
    faults = list(_envelope_faults(document))
    if faults:
        return BodyMalformed("the body is not a prediction request", faults)
    if len(document["instances"]) > limits.rows:
        return BodyTooLarge("rows", limits.rows, len(document["instances"]))
    rows = document["instances"]
    if contract.layout == "tensors":
        return BodyMalformed(f"the rows cannot be read as the model's input: {cause}")
    now_s = _judged_at(cause)
    found = (
        fault for i, row in enumerate(rows) for fault in _instance_faults(row, contract, rules, now_s, "instances", i)
    )
    rejected = _rejection(found, names, len(rows))
    return rejected if rejected.total else BodyMalformed(f"the rows cannot be read as the model's inputs: {cause}")


def diagnose_tensors(
    columns: Sequence[Sequence[Any]],
    pointers: Callable[[int, int], str],
    contract: Contract,
    *,
    names: tuple[str, str],
    cause: Exception,
    rules: RowRules | None = None,
) -> InputRejected:
    """Return the error that names every value of tensors that breaks a ``reject`` policy, and the rules broken.

    Parameters
    ----------
    columns
        Values of each feature, row by row.
    pointers
        Where a value stands in the body, from its row and the index of its feature.
    """
    now_s = _judged_at(cause)

    def faults(i: int, row: Sequence[Any]) -> Iterator[Fault]:
        found = [
            fault for j, value in enumerate(row) for fault in value_faults(contract.features[j], value, pointers(i, j))
        ]
        yield from found
        if rules is not None and _are_types_right(found):
            yield from rules.faults(row, now_s, partial(pointers, i))

    found = (fault for i, row in enumerate(zip(*columns, strict=True)) for fault in faults(i, row))
    return _rejection(found, names, len(columns[0]))


def _judged_at(cause: Exception) -> float:
    judged_at_s = cause.judged_at_s if isinstance(cause, RowsRefused) else None
    return time() if judged_at_s is None else judged_at_s


def _are_types_right(found: Iterable[Fault]) -> bool:
    return not any(fault.kind in ("wrong_type", "shape") for fault in found)


def _instance_faults(
    row: Any, contract: Contract, rules: RowRules | None, now_s: float, *base: str | int
) -> Iterator[Fault]:
    found = list(row_faults(row, contract, *base))
    yield from found
    if rules is None or not _are_types_right(found):
        return
    features = contract.features
    if isinstance(row, list):
        yield from rules.faults(row, now_s, lambda j: pointer(*base, j))
    else:
        values = [row.get(feature.name) for feature in features]
        yield from rules.faults(values, now_s, lambda j: pointer(*base, features[j].name))


def _rejection(found: Iterable[Fault], names: tuple[str, str], rows: int) -> InputRejected:
    counts: Counter[tuple[str, str]] = Counter()
    shown: list[Fault] = []
    for fault in found:
        counts[(fault.rule or fault.feature or "", fault.kind)] += 1
        if len(shown) < MAX_FAULTS:
            shown.append(fault)
    return InputRejected(*names, shown, counts.total(), counts, rows=rows)


def _parse(body: bytes, limits: LimitSettings) -> Any:
    check_depth(body, limits.depth)
    try:
        return json.loads(body.decode("utf-8"), parse_constant=NotFinite)
    except UnicodeDecodeError as exc:
        raise BodyMalformed(f"the body is not UTF-8 (byte {exc.start})") from exc
    except json.JSONDecodeError as exc:
        raise BodyMalformed(f"the body is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})") from exc
    except (ValueError, RecursionError) as exc:
        raise BodyMalformed("the body is not JSON: a number has too many digits") from exc


def _envelope_faults(document: Any) -> Iterator[Fault]:
    if not isinstance(document, dict):
        yield Fault("", "wrong_type", "an object with 'instances'", found_name(document))
        return
    if "instances" not in document:
        yield Fault("/instances", "missing", "a list of rows", "nothing")
    elif not isinstance(document["instances"], list):
        yield Fault("/instances", "wrong_type", "a list of rows", found_name(document["instances"]))
    elif not document["instances"]:
        yield Fault("/instances", "shape", "at least one row", "an empty list")
    if not isinstance(document.get("model"), str | None):
        yield Fault("/model", "wrong_type", "a model name", found_name(document["model"]))
    for key in sorted(document.keys() - {"instances", "model"}):
        yield Fault(pointer(key), "unknown", "'instances' and 'model' only", "an unknown member")
