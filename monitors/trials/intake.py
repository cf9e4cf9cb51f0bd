"""Intake: records of answers, failures and comparisons into the counts of a trial, each key once.

Whose fault a failure is: a request that the candidate failed is answered by stable instead. If stable fails it too, the
request is to blame and counts for neither arm's failures. The word for that comes in another record than the failure,
so a failure waits for it, for a few blocks at most. An answer that took longer than a canary's time slice counts as a
failure on both arms, since a canary would not have been given that time. Time for which the host gave the worker's
event loop, or the version's thread, no core does not count for either; word of it comes a moment later, so what came
late waits for it too.

Left out are requests that were shed, that the client got wrong, or that named their version, and a canary that was
busy. Where workers pass on only a sample of one arm, the other arm is thinned to the same share.

A worker that has given up the canary by itself sends the canary's keys to stable. That is known a moment later, so keys
wait for some blocks before they count for the split, and those of such a time never do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import numpy as np

from monitors.records import (
    BROKEN_FLAG,
    FALLBACK_FLAG,
    SHORTEST_WAIT_S,
    Failure,
    Failures,
    Observation,
    ShadowComparison,
    Standstill,
    StreamInfo,
    TrialSpec,
)
from monitors.trials.counts import CLASS_CELLS, TrialCounts
from monitors.trials.joining import Answer, OutcomeJoin
from monitors.trials.keys import ArmTally, KeyFilter
from monitors.trials.predictions import confidence_cells, value_cells
from monitors.trials.standstills import Standstills

__all__ = ["Intake", "Side"]

Side = Literal["candidate", "stable"]

_SETTLE_BLOCKS = 20
_SPLIT_BLOCKS = 12
_LATE_BLOCKS = 2
_MOST_PENDING = 10_000
_OWN_FAULTS = ("server_error", "timeout")


@dataclass(frozen=True, slots=True)
class _Failed:
    """A key that failed; where that was for want of time, on which worker, and from when until when it took."""

    key: int
    worker: str = ""
    began_at: float = 0.0
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Slow:
    """An answer that took long: on which worker, and from when until when."""

    worker: str
    began_at: float
    ended_at: float


class Intake:
    """Counts one stage of one rollout. Not safe for several threads.

    Parameters
    ----------
    spec
        Model, versions, and from which route revision on rows count.
    keys
        What keys have appeared in the rollout, and which of them are counted at all.
    infos
        What is known of each version, by name; may grow meanwhile.
    join
        Who waits for the outcomes of what a canary step answers; ``None`` if nobody does.

    Notes
    -----
    Memory: the keys of the stage, bounded by the filter, and 30,000 failures and slow answers that wait. About a
    microsecond a request.
    """

    def __init__(
        self, spec: TrialSpec, keys: KeyFilter, infos: Mapping[str, StreamInfo], *, join: OutcomeJoin | None = None
    ) -> None:
        self.spec, self._join = spec, join
        self.taken = 0
        self.is_split_paused = False
        self._keys, self._infos = keys, infos
        self._tallies: dict[Side, ArmTally] = {"candidate": ArmTally(keys), "stable": ArmTally(keys)}
        self._waiting: dict[str, tuple[_Failed, int]] = {}
        self._late: deque[tuple[Side, _Failed, int]] = deque()
        self._slow: deque[tuple[Side, _Slow, int]] = deque()
        self._standstills = Standstills()
        self._answered: dict[str, int] = {}
        self._ratios: dict[tuple[str, Side, str], float] = {}
        self._cells: dict[str, int] = {}
        self._split: deque[tuple[int, int]] = deque()
        self._shadow = TrialCounts()
        self._shadow_base: tuple[int, int] | None = None
        self._block = 0

    def take(self, observation: Observation) -> None:
        """Count the answered requests of a block of rows."""
        side = self._side(observation.key.version)
        if side is None or observation.key.variant not in ("stable", "canary") or self._is_old(observation):
            return
        self.taken += len(observation.request_ids)
        self._ratios[observation.worker, side, "answers"] = observation.sampled_ratio
        kept = self._kept_share(observation.worker, side, "answers")
        classes_n, scores_n = self._classes(observation), self._scores(observation)
        flags, durations = observation.flags_n.tolist(), observation.durations_n.tolist()
        answered_at = observation.answered_at_n.tolist()
        hashes = observation.key_hashes_n.tolist()
        for at in _first_rows(observation.request_ids):
            request_id = observation.request_ids[at]
            if flags[at] & FALLBACK_FLAG:
                self._settle(request_id, repeated=bool(flags[at] & BROKEN_FLAG))
                continue
            if kept < 1.0 and _unit(request_id) >= kept:
                continue
            is_broken, is_late = bool(flags[at] & BROKEN_FLAG), durations[at] >= self.spec.slow_s
            tally, key = self._tallies[side], hashes[at] or _hash(request_id)
            began_at = answered_at[at] - durations[at]
            if tally.see(key, failed=is_broken or is_late):
                tally.describe(durations[at], classes_n[at], scores_n[at])
                self._time(side, _Slow(observation.worker, began_at, answered_at[at]), durations[at])
            if is_broken:
                tally.fail(key)
            elif is_late:
                self._fail(side, _Failed(key, observation.worker, began_at, answered_at[at]))
            if self._join is not None and self.spec.stage == "canary" and not flags[at] & BROKEN_FLAG:
                value = self._value(observation, at)
                if value is not None:
                    answer = Answer(side == "candidate", self.spec.step, value)
                    self._join.expect(request_id, hashes[at], answer)

    def take_failures(self, failures: Failures) -> None:
        """Count the requests that a version failed."""
        for failure in failures.failures:
            side = self._side(failure.version)
            if side is None or failure.model != self.spec.model or failure.route_revision < self.spec.since_revision:
                continue
            if failure.variant not in ("stable", "canary"):
                continue
            if failure.request_id in self._waiting and failure.status in _OWN_FAULTS:
                self._settle(failure.request_id, repeated=True)
            elif self._is_counted(failure) and self._is_kept(failure, failures.worker, side):
                self._take_failure(failure, failures.worker, side)

    def take_standstill(self, standstill: Standstill) -> None:
        """Take word that a worker stood still, or a version's thread."""
        if standstill.model in ("", self.spec.model):
            self._standstills.note(standstill)

    def take_comparison(self, comparison: ShadowComparison) -> None:
        """Count requests that the candidate repeated as a shadow; those without classes count as compared only."""
        if comparison.key.version != self.spec.candidate or self.spec.stage != "shadow":
            return
        info = self._infos.get(comparison.key.version)
        is_classified = info is not None and info.output.kind == "classification"
        starts = _first_rows(comparison.request_ids)
        agrees = np.logical_and.reduceat(comparison.agrees_n, starts) if starts else np.empty(0, np.bool_)
        disagreed = int(np.count_nonzero(~agrees)) if is_classified else 0
        self.taken += len(starts)
        self._shadow += TrialCounts(compared=len(starts), disagreed=disagreed)

    def take_shadow_totals(self, failed: int, dropped: int) -> None:
        """Take the cumulative counts of requests that the shadow failed, and that never reached it.

        Those that came before its first answer do not count as dropped: it was being loaded.
        """
        base = self._shadow_base or (failed, dropped)
        self._shadow_base = (failed, dropped)
        grown_failed = max(0, failed - base[0])
        grown_dropped = max(0, dropped - base[1]) if self.taken or grown_failed else 0
        self._shadow += TrialCounts(compared=grown_failed, disagreed=grown_failed, dropped=grown_dropped)

    def cut(self) -> TrialCounts:
        """Return the counts since the last cut, and begin a new block."""
        self._block += 1
        for request_id, (_, since) in list(self._waiting.items()):
            if self._block - since > _SETTLE_BLOCKS:
                self._settle(request_id, repeated=False)
        while self._late and self._block - self._late[0][2] > _LATE_BLOCKS:
            side, failed, _ = self._late.popleft()
            if not self._is_excused(side, failed):
                self._tallies[side].fail(failed.key)
        while self._slow and self._block - self._slow[0][2] > _LATE_BLOCKS:
            side, slow, _ = self._slow.popleft()
            lost_s = self._lost_s(side, slow.worker, slow.began_at, slow.ended_at)
            self._tallies[side].time(slow.ended_at - slow.began_at - lost_s)
        self._answered = {
            name: since for name, since in self._answered.items() if self._block - since <= _SETTLE_BLOCKS
        }
        mine, theirs = self._tallies["candidate"].cut(), self._tallies["stable"].cut()
        appeared, others = self._of_the_split(mine.appeared, theirs.appeared)
        shadow, self._shadow = self._shadow, TrialCounts()
        return replace(shadow, candidate=replace(mine, appeared=appeared), stable=replace(theirs, appeared=others))

    def _of_the_split(self, mine: int, theirs: int) -> tuple[int, int]:
        """Let the new keys of a block wait, and return those that have waited long enough."""
        if self.is_split_paused:
            self._split.clear()
            return 0, 0
        self._split.append((mine, theirs))
        return self._split.popleft() if len(self._split) > _SPLIT_BLOCKS else (0, 0)

    def _take_failure(self, failure: Failure, worker: str, side: Side) -> None:
        failed = _Failed(failure.key_hash or _hash(failure.request_id))
        if "timeout" in (failure.status, failure.reason):
            failed = _Failed(failed.key, worker, failure.failed_at - failure.duration_s, failure.failed_at)
        self.taken += 1
        self._tallies[side].see(failed.key, failed=True)
        is_settled = failure.status != "masked" or self._answered.pop(failure.request_id, None) is not None
        if is_settled or len(self._waiting) >= _MOST_PENDING:
            self._fail(side, failed)
        else:
            self._waiting[failure.request_id] = (failed, self._block)

    def _fail(self, side: Side, failed: _Failed) -> None:
        """Count a failure; one for want of time once it is known how long its worker stood still."""
        if failed.worker and len(self._late) < _MOST_PENDING:
            self._late.append((side, failed, self._block))
        else:
            self._tallies[side].fail(failed.key)

    def _is_excused(self, side: Side, failed: _Failed) -> bool:
        """Return whether it was late only because its worker or its thread stood still."""
        lost_s = self._lost_s(side, failed.worker, failed.began_at, failed.ended_at)
        return lost_s > 0 and failed.ended_at - failed.began_at - lost_s < self.spec.slow_s

    def _time(self, side: Side, slow: _Slow, duration_s: float) -> None:
        """Count how long an answer took of its own; of one that took long, once it is known what it lost."""
        if duration_s >= SHORTEST_WAIT_S and len(self._slow) < _MOST_PENDING:
            self._slow.append((side, slow, self._block))
        else:
            self._tallies[side].time(duration_s)

    def _lost_s(self, side: Side, worker: str, began_at: float, ended_at: float) -> float:
        version = self.spec.candidate if side == "candidate" else self.spec.stable
        return self._standstills.lost_s(worker, version, began_at, ended_at)

    def _settle(self, request_id: str, *, repeated: bool) -> None:
        """Take the word on a request that the candidate failed: stable failed it too, or answered it."""
        waiting = self._waiting.pop(request_id, None)
        if waiting is not None and not repeated:
            self._fail("candidate", waiting[0])
        elif waiting is None and not repeated and len(self._answered) < _MOST_PENDING:
            self._answered[request_id] = self._block

    def _side(self, version: str) -> Side | None:
        if version == self.spec.candidate:
            return "candidate"
        return "stable" if version == self.spec.stable else None

    def _is_old(self, observation: Observation) -> bool:
        return observation.key.model != self.spec.model or observation.route_revision < self.spec.since_revision

    @staticmethod
    def _is_counted(failure: Failure) -> bool:
        return failure.status in _OWN_FAULTS or (failure.status == "masked" and failure.reason != "busy")

    def _is_kept(self, failure: Failure, worker: str, side: Side) -> bool:
        self._ratios[worker, side, "failures"] = failure.sampled_ratio
        kept = self._kept_share(worker, side, "failures")
        return kept >= 1.0 or _unit(failure.request_id) < kept

    def _kept_share(self, worker: str, side: Side, kind: str) -> float:
        """Return the share of one arm's sample that leaves both arms sampled alike."""
        other: Side = "stable" if side == "candidate" else "candidate"
        mine, theirs = self._ratios[worker, side, kind], self._ratios.get((worker, other, kind), 1.0)
        return min(1.0, theirs / mine) if mine > 0 else 1.0

    def _classes(self, observation: Observation) -> list[int]:
        """Return the cell of each row's class, by its name, since versions may order theirs otherwise; -1 for none."""
        info = self._infos.get(observation.key.version)
        names = info.output.classes if info is not None else ()
        cells = [self._cells.setdefault(name, min(len(self._cells), CLASS_CELLS - 1)) for name in names]
        return [cells[code] if 0 <= code < len(cells) else -1 for code in observation.labels_n.tolist()]

    def _value(self, observation: Observation, at: int) -> str | float | None:
        """Return what a row was answered: a class by its name, or a value; ``None`` where it is neither."""
        info = self._infos.get(observation.key.version)
        if info is None or info.output.kind == "tensor":
            return None
        if info.output.kind == "regression":
            return float(observation.scores_nk[at, 0]) if observation.scores_nk.shape[1] else None
        code, names = int(observation.labels_n[at]), info.output.classes
        return names[code] if 0 <= code < len(names) else None

    def _scores(self, observation: Observation) -> list[int]:
        """Return the cell of each row's confidence or value; -1 where there is none."""
        scores_nk = observation.scores_nk
        if not scores_nk.shape[1] or not len(scores_nk):
            return [-1] * len(observation.request_ids)
        info = self._infos.get(observation.key.version)
        is_value = info is not None and info.output.kind == "regression"
        top_n = np.nan_to_num(scores_nk[:, 0] if is_value else scores_nk.max(axis=1), nan=0.0)
        cells_n = value_cells(top_n) if is_value else confidence_cells(top_n)
        return [int(cell) for cell in cells_n]


def _first_rows(request_ids: tuple[str, ...]) -> list[int]:
    """Return where each request begins: its rows follow each other."""
    return [at for at, name in enumerate(request_ids) if at == 0 or name != request_ids[at - 1]]


def _hash(request_id: str) -> int:
    return int.from_bytes(blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _unit(request_id: str) -> float:
    return _hash(request_id) / 2.0**64
