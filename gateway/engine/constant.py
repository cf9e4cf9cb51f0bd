"""A constant answer: one row of outputs that fits a version's contract, and the version that answers nothing else."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.codec.strict import described, pointer_to
from gateway.engine.outputs import Outputs
from gateway.engine.session import RunHandle
from gateway.engine.timing import RateCurve
from gateway.engine.version import ServableVersion
from gateway.types import TensorSpec

__all__ = ["ConstantRefused", "constant_row", "constant_version"]

_CURVE = RateCurve.of([(1, 1e-6), (4096, 1e-4)])
_ON_LOOP_S = 0.1
_SUM_TOLERANCE = 1e-3
_LONGEST_LIST = 200


class ConstantRefused(Exception):
    """An answer that the version could not give. ``pointer`` is where, as a JSON Pointer into the answer."""

    def __init__(self, pointer: str, expected: str, found: str) -> None:
        super().__init__(f"{pointer or '/'}: expected {expected}, found {found}")
        self.pointer, self.expected, self.found = pointer, expected, found


def constant_row(version: ServableVersion, answer: object) -> dict[str, Any]:
    """Return an answer as one row of each output of the graph, as plain values.

    Parameters
    ----------
    answer
        A class of a classifier, which gets all of the probability; the number of a regression; or the row of every
        output by the output's name.

    Raises
    ------
    ConstantRefused
        The version could not have answered that: an unknown class or output, another type or shape, probabilities
        that are none, or outputs that are not one row for each row of the request.
    """
    if version.max_batch_rows is None:
        raise ConstantRefused("", "a version that answers row by row", f"version {version.version}, which does not")
    row = dict(answer) if isinstance(answer, Mapping) else _of_prediction(version, answer)
    if row.keys() != version.outputs.keys():
        raise ConstantRefused("", f"the outputs {_listed(version.outputs)}", _listed(row) or "none")
    for name, spec in version.outputs.items():
        _array(spec, row[name])
    _check_meaning(version, _once(version, row))
    return row


def constant_version(version: ServableVersion, row: Mapping[str, Any]) -> ServableVersion:
    """Return a version that takes the same requests and gives every row the same outputs.

    Its runs touch no session and cost a few microseconds, so that they stay on the loop whatever the version itself
    costs. Raises ``ConstantRefused`` for a row of another version's outputs.
    """
    if row.keys() != version.outputs.keys():
        raise ConstantRefused("", f"the outputs {_listed(version.outputs)}", _listed(row) or "none")
    graphs = _ConstantGraphs(version, row)
    return replace(version, graphs=graphs, curve=_CURVE, on_loop_s=_ON_LOOP_S, inline_rows=version.max_batch_rows or 1)


class _ConstantGraphs:
    """Stands where a version's sessions are. Safe from any thread."""

    providers = ("cpu",)

    def __init__(self, version: ServableVersion, row: Mapping[str, Any]) -> None:
        self.output_names = tuple(version.outputs)
        self._rows = [_array(spec, row[name]) for name, spec in version.outputs.items()]
        binding = version.contract.outputs
        self._map_at = self.output_names.index(binding.probabilities or "") if binding.zipmap else None
        self._classes = binding.answered

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], n: int, handle: RunHandle | None = None) -> Sequence[Any]:
        """Return the row ``n`` times, in graph order."""
        outputs: list[Any] = [np.repeat(row[np.newaxis], n, axis=0) for row in self._rows]
        if self._map_at is not None:
            row = self._rows[self._map_at].tolist()
            outputs[self._map_at] = [dict(zip(self._classes, row, strict=True))] * n
        return outputs


def _of_prediction(version: ServableVersion, answer: object) -> dict[str, Any]:
    """Return the outputs that mean a class or a number."""
    outputs = version.contract.outputs
    if not (outputs.classes or outputs.value):
        raise ConstantRefused("", f"an object with the outputs {_listed(version.outputs)}", described(answer))
    if outputs.value:
        return {outputs.value: answer}
    found = [i for i, name in enumerate(outputs.classes) if str(name) == str(answer)]
    if len(found) != 1 or isinstance(answer, bool):
        raise ConstantRefused("", f"one of the classes {_listed(outputs.classes)}", described(answer))
    row: dict[str, Any] = {outputs.label: outputs.answered[found[0]]} if outputs.label else {}
    if outputs.probabilities:
        row[outputs.probabilities] = _certain(version.outputs[outputs.probabilities], found[0], len(outputs.classes))
    return row


def _certain(spec: TensorSpec, index: int, classes: int) -> list[float]:
    """Return probabilities of nothing but one class; a graph of two classes may give those of the second alone."""
    if classes == 2 and spec.shape[1:] in ((), (1,)) and spec.shape:
        return [float(index)]
    return [float(i == index) for i in range(classes)]


def _once(version: ServableVersion, row: Mapping[str, Any]) -> Outputs:
    """Return the outputs of one row as clients would read them."""
    return constant_version(version, row).run({}, 1)


def _check_meaning(version: ServableVersion, outputs: Outputs) -> None:
    """Refuse labels that are no class, and probabilities that are none."""
    binding = version.contract.outputs
    if binding.label and binding.classes and version.reader.label_codes(outputs, 1)[0] < 0:
        found = described((outputs.labels_list() or [None])[0])
        raise ConstantRefused(pointer_to("", binding.label), f"one of {_listed(binding.answered)}", found)
    if not outputs.is_finite:
        raise ConstantRefused("", "finite numbers", "one that does not fit the output's type")
    scores_nk = outputs.scores_nk
    if binding.probabilities and scores_nk is not None:
        at = pointer_to("", binding.probabilities)
        if binding.classes and scores_nk.shape[1] != len(binding.classes):
            raise ConstantRefused(at, f"{len(binding.classes)} probabilities", str(scores_nk.shape[1]))
        is_share = bool((scores_nk >= 0).all()) and abs(float(scores_nk.sum()) - 1) <= _SUM_TOLERANCE
        if not is_share:
            raise ConstantRefused(at, "probabilities that sum to 1", _listed(scores_nk[0].tolist()))
        _check_agreement(version, outputs, scores_nk[0], at)


def _check_agreement(version: ServableVersion, outputs: Outputs, scores_k: npt.NDArray[Any], at: str) -> None:
    """Refuse a label that is not the likeliest class: clients that read either would be told different things."""
    binding = version.contract.outputs
    if binding.label and binding.classes:
        code = int(version.reader.label_codes(outputs, 1)[0])
        if scores_k[code] < scores_k.max():
            label, likeliest = binding.answered[code], binding.answered[int(scores_k.argmax())]
            raise ConstantRefused(at, f"{label} to be the likeliest class, as the label says", f"{likeliest}")


def _array(spec: TensorSpec, value: object) -> npt.NDArray[Any]:
    """Return one row of an output in its type and shape."""
    at = pointer_to("", spec.name)
    try:
        told = np.array(value, object)
    except ValueError as error:
        raise ConstantRefused(at, "a list whose parts have one length", str(error)) from error
    for item in told.ravel().tolist():
        if not _is_of(spec.dtype, item):
            raise ConstantRefused(at, f"values of the type {_type_of(spec)}", described(item))
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
        array: npt.NDArray[Any] = told if spec.dtype == "string" else told.astype(_type_of(spec))
    wanted = spec.shape[1:]
    fits = len(wanted) == array.ndim and all(w in (-1, f) for w, f in zip(wanted, array.shape, strict=True))
    if fits or not spec.shape:
        return array
    if array.size == 1 and all(size in (-1, 1) for size in wanted):
        return array.reshape((1,) * len(wanted))
    raise ConstantRefused(at, f"a row of the shape {list(wanted)}", str(list(array.shape)))


def _type_of(spec: TensorSpec) -> str:
    return "float32" if spec.dtype == "map" else spec.dtype


def _is_of(dtype: str, item: object) -> bool:
    if dtype == "string" or isinstance(item, str):
        return dtype == "string" and isinstance(item, str)
    if dtype == "bool" or isinstance(item, bool):
        return dtype == "bool" and isinstance(item, bool)
    if "int" in dtype:
        return isinstance(item, int) and int(np.iinfo(dtype).min) <= item <= int(np.iinfo(dtype).max)
    is_number = isinstance(item, int | float) and abs(item) <= sys.float_info.max
    return is_number and (dtype.startswith("float") or dtype == "map")


def _listed(items: Sequence[Any] | Mapping[str, Any]) -> str:
    text = ", ".join(map(str, items))
    return text if len(text) <= _LONGEST_LIST else text[: _LONGEST_LIST - 3] + "..."
