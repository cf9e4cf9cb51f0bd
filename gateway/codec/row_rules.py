"""Data-quality rules over the rows of a request: which rows break which rule, and the faults that tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.rule_checks import compiled
from gateway.codec.rule_words import expectation, finding
from gateway.contract import Contract
from gateway.errors import Fault
from monitors.records import RULE_FLAG

__all__ = ["Broken", "RowRules", "row_rules"]

Broken = tuple[int, npt.NDArray[np.bool_]]
"""Index of a rule, and (n,) the rows that break it: at least one."""

_FEW_ROWS: Final = 12


def row_rules(contract: Contract, dtypes: Mapping[str, str] | None = None) -> RowRules | None:
    """Return what judges rows by a contract's rules, ``None`` where it has none.

    Parameters
    ----------
    dtypes
        Types in which the values of features come; of a feature that is not in it, the value comes as JSON says it.
    """
    return RowRules(contract, dtypes or {}) if contract.rules else None


class RowRules:
    """The rules of a contract. Loop-safe, no state.

    A request of few rows is judged number by number, where a call of numpy would cost more than it saves.
    """

    def __init__(self, contract: Contract, dtypes: Mapping[str, str]) -> None:
        features, self._rules = contract.features, contract.rules
        self._names = [feature.name for feature in features]
        whole = {name: j for j, name in enumerate(self._names)}
        self._subjects = [[whole[name] for name in rule.features] for rule in self._rules]
        used = sorted({j for subjects in self._subjects for j in subjects})
        self._used = np.array(used, np.intp)
        places = {self._names[j]: k for k, j in enumerate(used)}
        listed = dict.fromkeys(whole[r.categories.feature] for r in self._rules if r.categories)
        self._texts = [j for j in listed if features[j].dtype == "string"]
        texts = {self._names[j]: len(places) + k for k, j in enumerate(self._texts)}  # as text, behind the numbers
        self._breaks = [compiled(r, places | texts if r.categories else places, dtypes) for r in self._rules]
        self._numbered = tuple(enumerate(self._breaks))

    def broken(self, values_nd: npt.NDArray[Any], now_s: float, columns: Sequence[Sequence[Any]] = ()) -> list[Broken]:
        """Return the rules that some row breaks, in their order.

        Parameters
        ----------
        values_nd : (n, d) any dtype of numbers
            Raw values, NaN for missing; of a string any number, where it is not missing.
        now_s
            Unix time.
        columns
            The values of all features as the client sent them, where strings are among them.
        """
        numbers_nu = values_nd.take(self._used, axis=1)
        if numbers_nu.dtype != np.float64:
            numbers_nu = numbers_nu.astype(np.float64)
        texts = [columns[j] for j in self._texts]
        if len(numbers_nu) <= _FEW_ROWS:
            return self._one_by_one(numbers_nu, texts, now_s)
        values = [*np.ascontiguousarray(numbers_nu.T), *texts]
        with np.errstate(over="ignore", invalid="ignore"):  # sums of huge numbers
            masks = [np.asarray(breaks(values, now_s)) for breaks in self._breaks]
        return [(r, rows_n) for r, rows_n in enumerate(masks) if rows_n.any()]

    def settle(
        self, decoded: Decoded, values_nd: npt.NDArray[Any], now_s: float, columns: Sequence[Sequence[Any]] = ()
    ) -> Decoded:
        """Return rows with those marked and counted that break a flagging rule; parameters as ``broken`` has them.

        Raises
        ------
        gateway.codec.decoded.RowsRefused
            A row breaks a rejecting rule.
        """
        for r, rows_n in self.broken(values_nd, now_s, columns):
            rule, rows = self._rules[r], int(rows_n.sum())
            if rule.action == "reject":
                raise RowsRefused(rule.name, "rule", rows, judged_at_s=now_s)
            if decoded.flags_n is None:
                decoded.flags_n = np.zeros(decoded.n, np.uint16)
            decoded.flags_n[rows_n] |= RULE_FLAG
            decoded.faults += ((r, "rule", rows),)
        return decoded

    def _one_by_one(
        self, numbers_nu: npt.NDArray[np.float64], texts: Sequence[Sequence[str | None]], now_s: float
    ) -> list[Broken]:
        rows = numbers_nu.tolist()
        if texts:
            rows = [[*row, *(text[i] for text in texts)] for i, row in enumerate(rows)]
        found = [(r, i) for i, row in enumerate(rows) for r, breaks in self._numbered if breaks(row, now_s)]
        masks: dict[int, npt.NDArray[np.bool_]] = {}
        for r, i in sorted(found):
            masks.setdefault(r, np.zeros(len(rows), np.bool_))[i] = True
        return list(masks.items())

    def faults(self, row: Sequence[Any], now_s: float, pointer: Callable[[int], str]) -> Iterator[Fault]:
        """Yield a fault for each rule of action ``reject`` that a row breaks.

        Parameters
        ----------
        row
            Raw values in the order of the features, each of its feature's type, ``None`` for missing.
        now_s
            Unix time of the judgement.
        pointer
            Where the value of a feature stands, from its index.
        """
        values = [*(_number(row[j]) for j in self._used.tolist()), *(row[j] for j in self._texts)]
        for rule, breaks, subjects in zip(self._rules, self._breaks, self._subjects, strict=True):
            if rule.action == "reject" and breaks(values, now_s):
                told = expectation(rule), finding(rule, [row[j] for j in subjects], now_s)
                blamed = next((j for j in subjects if rule.missing and row[j] is None), subjects[0])
                yield Fault(pointer(blamed), "rule", *told, self._names[blamed], rule.name)


def _number(value: Any) -> float:
    if value is None:
        return nan
    return 0.0 if isinstance(value, str) else float(value)
