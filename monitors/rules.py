"""Rules over rows: facts that page by themselves, because chance does not make them within the budget's tenth.

- A feature is **frozen**: one value in every request.
- Its **unit** has changed: every value outside what the reference has ever held.
- The **output is constant**, or repeats the last one, although the inputs differ; or mostly so
  (``monitors.repeated_output``).
- The **output is broken**: not finite, or no distribution. The first row is enough; where the reference has none at
  all, no chance is involved. That rule needs no run and stands in ``monitors.causes``.

The first three are runs of requests. One request of many rows, and consecutive requests of one routing key, count
once: what a single client sends is no news. A feature whose commonest cell holds a share m of the reference has k
independent requests with one value in a row with a chance of at most m^k, wherever the run begins. With dependence phi,
phi requests count as one. So a run of

    k = phi ln(L) / ln(1 / m),        L = runs looked at in the time of one allowed page / the share of the budget

ends no more often by chance than the budget allows (union bound over all rows and all rules of the stream). m is as
large as a reference of R rows cannot rule out. A run of fewer than fifty requests is never enough, whatever its chance:
the formula assumes that the reference's order is that of traffic, and few clients could prove it wrong. Features that
hardly vary are left out.

Runs depend on order and stay with one worker; a split of the rows over workers makes them longer to wait for, no more.
What can be told from counts alone, without requests and keys, is in ``monitors.evidence.rules``, for the library.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from operator import ne

import numpy as np
import numpy.typing as npt

from monitors.effects import Movement
from monitors.evidence.budget import EVIDENCE_SHARE, Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import row_marks
from monitors.records import Observation
from monitors.repeated_output import WINDOW, RepeatedOutputs, repeats_needed

__all__ = ["RunRules"]

LEAST_RUN = 50
LARGEST_SHARE = 0.98
MOST_WORKERS = 256
ROWS_A_SUMMARY = 2_000
"""Most rows that a second is sampled at: how many runs can begin in it."""

UNITS = (1000.0, 100.0, 60.0, 10.0, 25.4, 2.54, 1.609, 2.205, 3600.0)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class _Runs:
    """Of one worker: its last counted row, and how long the present runs are."""

    values_d: Floats
    scores_k: Floats
    key: int
    same_d: Ints
    outside_d: Ints
    outputs: RepeatedOutputs
    constant: int = 0


class RunRules:
    """Runs of one stream.

    Parameters
    ----------
    model
        Reference shares and dependence.
    budget
        That of the stream; rules have a tenth of it.

    Notes
    -----
    Memory: two rows of numbers a worker, at most 256 workers. Cost: a few array operations a block.
    """

    def __init__(self, model: EvidenceModel, budget: Budget) -> None:
        self.model = model
        self._workers: OrderedDict[str, _Runs] = OrderedDict()
        listed, features = model.channels.listed, model.channels.features
        places = {
            channel.name: c for c, channel in enumerate(listed) if channel.cause == "inputs" and channel.is_single
        }
        self._channel_d = np.array([places[feature.name] for feature in features], dtype=np.int64)
        answers = [c for c, channel in enumerate(listed) if channel.cause == "answers"]
        tests = 2 * len(features) + 2
        share = (1.0 - EVIDENCE_SHARE) * budget.share
        self._nats = math.log(budget.summaries_between_pages * ROWS_A_SUMMARY * tests / share)
        self.frozen_d = np.array([self._length(self._modal(c), c) for c in self._channel_d])
        self.outside_d = np.array([self._length(self._outside_share(c), c) for c in self._channel_d])
        self.constant = min((self._length(self._modal(c), c) for c in answers), default=math.inf)
        self.repeated = min((self._repeats(c) for c in answers), default=math.inf)
        edges = [model.channels.grid.axes[c].edges for c in self._channel_d]
        is_number = [feature.kind == "number" for feature in features]
        self._low_d = np.array([e[0] if n and len(e) else -np.inf for e, n in zip(edges, is_number, strict=True)])
        self._high_d = np.array([e[-1] if n and len(e) else np.inf for e, n in zip(edges, is_number, strict=True)])

    def take(self, seen: Observation) -> bool:
        """Follow the runs through a block; return whether a rule is broken now that was not before."""
        before = len(self._broken())
        counted = _first_rows(seen)
        runs = self._workers.get(seen.worker)
        for_rules = counted[1:] if runs is not None and runs.key and runs.key == int(seen.key_hashes_n[0]) else counted
        if len(for_rules):
            self._follow(seen, for_rules, runs)
        return len(self._broken()) > before

    def features(self) -> tuple[Movement, ...]:
        """Return the features whose run is too long to be chance."""
        return tuple(movement for movement in self._broken() if movement.name != "answer")

    def answers(self) -> tuple[Movement, ...]:
        """Return the same of the output."""
        return tuple(movement for movement in self._broken() if movement.name == "answer")

    def _follow(self, seen: Observation, rows: Ints, runs: _Runs | None) -> None:
        values_nd, scores_nk = seen.values_nd[rows], seen.scores_nk[rows]
        outside_nd = (values_nd < self._low_d) | (values_nd >= self._high_d)
        known = runs is not None
        if runs is None:
            zeros = np.zeros(values_nd.shape[1], dtype=np.int64)
            runs = _Runs(values_nd[0], scores_nk[0], 0, zeros, zeros.copy(), RepeatedOutputs(self.repeated))
        before_nd = np.concatenate([runs.values_d[None], values_nd[:-1]])
        same_nd = values_nd == before_nd
        again_n = (scores_nk == np.concatenate([runs.scores_k[None], scores_nk[:-1]])).all(axis=1)
        again_n &= bool(scores_nk.shape[1]) & ~same_nd.all(axis=1)
        if not known:
            same_nd[0], again_n[0] = False, False
        moved_n = ~same_nd.all(axis=1) | (np.arange(len(rows)) == 0 if not known else False)
        self._workers[seen.worker] = _Runs(
            values_nd[-1],
            scores_nk[-1],
            int(seen.key_hashes_n[rows[-1]]),
            _ends(same_nd, runs.same_d),
            _ends(outside_nd, runs.outside_d),
            runs.outputs,
            int(_ends(again_n[moved_n][:, None], np.array([runs.constant]))[0]) if moved_n.any() else runs.constant,
        )
        if math.isfinite(self.repeated) and scores_nk.shape[1]:
            finite_n = np.isfinite(scores_nk).all(axis=1)  # broken answers have a rule of their own
            runs.outputs.take(_marks(values_nd[finite_n]), _marks(scores_nk[finite_n]))
        self._workers.move_to_end(seen.worker)
        while len(self._workers) > MOST_WORKERS:
            self._workers.popitem(last=False)

    def _broken(self) -> list[Movement]:
        """Return every rule that is broken, once each."""
        found: dict[tuple[str, str], Movement] = {}
        for runs in self._workers.values():
            for d in np.flatnonzero(runs.outside_d >= self.outside_d).tolist():
                found[self._name(d), "unit"] = self._unit(d, runs)
            for d in np.flatnonzero(runs.same_d + 1 >= self.frozen_d).tolist():
                words = f"{self._shown(d, runs.values_d[d])} in {int(runs.same_d[d]) + 1} requests in a row"
                found.setdefault(
                    (self._name(d), "frozen"), Movement(self._name(d), "frozen", 1.0, 0.0, "varies", words)
                )
            if runs.constant + 1 >= self.constant:
                words = f"the same for {runs.constant + 1} different inputs in a row"
                found["answer", "constant"] = Movement("answer", "constant", 1.0, 0.0, "follows the input", words)
            elif runs.outputs.is_broken:
                outputs = runs.outputs
                words = f"the same for {outputs.repeats} of {WINDOW} requests, {outputs.inputs} of them different"
                found["answer", "repeated"] = Movement("answer", "repeated", 1.0, 0.0, "follows the input", words)
        return list(found.values())

    def _name(self, d: int) -> str:
        return self.model.channels.features[d].name

    def _shown(self, d: int, value: float) -> str:
        categories = self.model.channels.features[d].categories
        return categories[int(value)] if categories and 0 <= value < len(categories) else f"{value:g}"

    def _unit(self, d: int, runs: _Runs) -> Movement:
        low, high = float(self._low_d[d]), float(self._high_d[d])
        middle = (low + high) / 2.0
        ratio = abs(runs.values_d[d] / middle) if middle else 0.0
        ratio = ratio if ratio >= 1.0 else 1.0 / max(ratio, 1e-300)
        factor = next((f for f in UNITS if 0.5 < ratio / f < 2.0), None)
        guess = f", about {factor:g} times off: another unit?" if factor else ""
        words = f"outside in {int(runs.outside_d[d])} requests in a row, now {runs.values_d[d]:g}{guess}"
        return Movement(self._name(d), "unit", 1.0, 0.0, f"{low:g} to {high:g}", words)

    def _length(self, share: float, c: int) -> float:
        """Return how long a run must be; infinite for what may well stay as it is."""
        if not 0.0 < share <= LARGEST_SHARE:
            return math.inf
        return max(float(LEAST_RUN), math.ceil(float(self.model.phi_c[c]) * self._nats / -math.log(share)))

    def _repeats(self, c: int) -> float:
        """Return how many of the newest answers must be the same, as one channel of them knows."""
        share = self._modal(c)
        return repeats_needed(share, float(self.model.phi_c[c]), self._nats) if share <= LARGEST_SHARE else math.inf

    def _modal(self, c: int) -> float:
        """Return the largest share that any single value can have."""
        counts_b = self.model.counts_cb[c]
        return _at_most(int(counts_b.max(initial=0)), int(counts_b.sum()))

    def _outside_share(self, c: int) -> float:
        """Return the largest share that values outside the reference's can have; none for categories."""
        axis, counts_b = self.model.channels.grid.axes[c], self.model.counts_cb[c]
        if axis.is_category:
            return 1.0
        return _at_most(int(counts_b[0] + counts_b[axis.inner + 1]), int(counts_b.sum()))


def _at_most(count: int, rows: int) -> float:
    """Return a share that the true one exceeds once in a million samples (Chernoff's bound, simplified)."""
    share, nats = count / max(1, rows), math.log(1e6)
    return min(1.0, share + math.sqrt(2.0 * share * nats / max(1, rows)) + 2.0 * nats / max(1, rows))


def _marks(values_nd: Floats) -> Ints:
    """Return a number a row, equal for equal rows."""
    return row_marks(values_nd, range(values_nd.shape[1]))


def _first_rows(seen: Observation) -> Ints:
    """Return the first row of each request, where it is not of the same routing key as the request before."""
    ids, keys_n = seen.request_ids, seen.key_hashes_n
    is_first_n = np.array([True, *map(ne, ids, ids[1:])][: len(ids)], dtype=np.bool_)
    is_first_n[1:] &= (keys_n[1:] == 0) | (keys_n[1:] != keys_n[:-1])
    return np.flatnonzero(is_first_n)


def _ends(holds_nd: Bools, before_d: Ints) -> Ints:
    """Return how many rows up to the last one hold without a break, those of before included."""
    breaks_nd = ~holds_nd
    n = len(holds_nd)
    last_d = n - 1 - np.argmax(breaks_nd[::-1], axis=0)
    return np.where(breaks_nd.any(axis=0), n - 1 - last_d, n + before_d)
