"""The driver of rollouts: reads what is stored, asks the policy, persists its move. All that happens is in ``tick``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.errors import DocumentInvalid, RevisionStale, VersionNotWarm, WeirError
from gateway.fleet import Fleet
from gateway.governance.guard import Guard
from gateway.rollout.clock import StageClock
from gateway.rollout.document import RolloutDocument, decode_rollout, trial_spec
from gateway.rollout.policy import counted_from, decide
from gateway.rollout.recorder import RolloutRecorder
from gateway.rollout.situation import Situation
from gateway.rollout.standing import decode_standing, standing_key
from gateway.routing.codec import decode_route, route_key
from gateway.routing.document import RouteDocument
from gateway.state.store import EpochStale, StateStore
from gateway.types import Actor
from monitors.ports import Clock
from monitors.records import TrialFindings, TrialSpec

__all__ = ["LEADER", "LEASE", "RolloutDriver", "Seen", "Steering"]

LEADER = Actor("rollout leader", role="system", method="process")
LEASE = "rollouts"
LEASE_S = 5.0
_SAFETY_S = 1.0
_RENEW_S = 1.5
_LONGEST_FAILURE = 200
_log = logging.getLogger("weir.rollout")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the watch sees of one model; see :class:`Situation` for the words."""

    findings: TrialFindings | None = None
    stale_s: float = 0.0
    tripped: int = 0
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Steering:
    """What a tick came to: whether this process leads, the trials to follow, and each rollout's situation by model.

    ``aborts`` are the candidates that it took back, as (model, gate), one for each gate that was against it.
    ``failures`` are the models of rollouts that are held from now on because steering them failed.
    """

    is_leader: bool = False
    specs: tuple[TrialSpec, ...] = ()
    situations: Mapping[str, Situation] = field(default_factory=dict)
    aborts: tuple[tuple[str, str], ...] = ()
    failures: tuple[str, ...] = ()


class RolloutDriver:
    """Steer the rollouts of a store while this process holds the lease. Blocks; one thread at a time.

    Parameters
    ----------
    holder
        Name of this process, unique over restarts: evidence gathered under another name begins anew.
    slow_s
        Time slice of a canary.
    guard
        Says whether candidates have what their tier demands before they take live traffic.

    Notes
    -----
    Without rollouts no lease is taken, and a tick reads one number of the store. A leader acts only until a second
    before its lease ends by its own monotonic clock, and every write carries its epoch, which the store refuses once
    another process has the lease.
    """

    def __init__(
        self,
        store: StateStore,
        recorder: RolloutRecorder,
        clock: Clock,
        *,
        holder: str,
        slow_s: float,
        guard: Guard | None = None,
    ) -> None:
        self._store, self._recorder, self._clock = store, recorder, clock
        self._guard = guard or Guard(store, clock)
        self._holder, self._slow_s = holder, slow_s
        self._stages, self._holds = StageClock(clock), StageClock(clock)
        self._epoch = 0
        self._renew_at = self._until = -1e9
        self._revision = -1
        self._rollouts: dict[str, RolloutDocument] = {}
        self._failures: dict[str, tuple[tuple[str, str, int], str]] = {}
        """What went wrong in steering a model's rollout, and in which stage; a pause by an operator forgives it."""
        self._untold: list[str] = []
        """Models of the failures that no tick has told of."""

    def tick(self, seen: Mapping[str, Seen]) -> Steering:
        """Make at most one move of each rollout; one in which that fails is held, and the others go on.

        Parameters
        ----------
        seen
            What the watch sees, by model.

        Raises
        ------
        StoreUnavailable
            The store is away: nothing advances, and what workers lower by themselves stays lowered.
        """
        self._read()
        if not self._rollouts or not self._leads():
            return Steering(failures=self._told())
        fleet = Fleet.of(self._store.announcements())
        situations = self._situations(fleet, seen)
        aborts = [(model, gate) for model, one in situations.items() for gate in self._step(one)]
        self._read()
        specs = tuple(spec for rollout in self._rollouts.values() if (spec := self._spec(rollout)) is not None)
        shown = {model: self._marked(one) for model, one in situations.items() if model in self._rollouts}
        return Steering(True, specs, shown, tuple(aborts), self._told())

    def _told(self) -> tuple[str, ...]:
        """Return the failures that no tick has told of; a tick that the store ends early leaves them to the next."""
        told, self._untold = tuple(self._untold), []
        return told

    def _read(self) -> None:
        """Read the rollouts that are not over, when something has changed."""
        revision = self._store.revision()
        if revision == self._revision:
            return
        found: dict[str, RolloutDocument] = {}
        for document in self._store.read_prefix("rollout/"):
            try:
                rollout = decode_rollout(document)
            except DocumentInvalid:
                _log.exception("%s cannot be read and is left alone", document.key)
                continue
            if rollout.is_active:
                found[rollout.model] = rollout
        self._rollouts, self._revision = found, revision
        self._stages.keep(set(found))
        self._holds.keep(set(found))
        self._failures = {
            model: failure
            for model, failure in self._failures.items()
            if model in found and found[model].state != "paused" and failure[0] == _place(found[model])
        }

    def _leads(self) -> bool:
        now_s = self._clock.monotonic_s()
        if now_s >= self._renew_at:
            epoch = self._store.lease(LEASE, self._holder, LEASE_S)
            if epoch is None:
                self._until = -1e9
                return False
            self._epoch, self._until, self._renew_at = epoch, now_s + LEASE_S - _SAFETY_S, now_s + _RENEW_S
        return self._clock.monotonic_s() < self._until

    def _situations(self, fleet: Fleet, seen: Mapping[str, Seen]) -> dict[str, Situation]:
        found: dict[str, Situation] = {}
        for model, rollout in self._rollouts.items():
            try:
                found[model] = self._looked_at(rollout, fleet, seen.get(model, Seen()))
            except DocumentInvalid:
                _log.exception("the rollout of %s stands still: a document of its model cannot be read", model)
        return found

    def _looked_at(self, rollout: RolloutDocument, fleet: Fleet, seen: Seen) -> Situation:
        """Return the situation of a rollout; where looking fails, one in which there is nothing to do but to hold."""
        try:
            situation = self._situation(rollout, fleet, seen)
        except WeirError:
            raise
        except Exception as exc:  # whatever it is, the other rollouts go on
            self._note_failure(rollout, exc)
            route, held_s = self._route(rollout.model), self._held_s(rollout)
            situation = Situation(rollout=rollout, route=route, held_s=held_s, is_home_ready=False, is_converged=False)
        return self._marked(situation)

    def _marked(self, situation: Situation) -> Situation:
        """Return a situation with what went wrong in the stage, if anything did: no evidence counts then."""
        failure = self._failures.get(situation.rollout.model)
        return situation if failure is None else replace(situation, findings=None, failure=failure[1])

    def _note_failure(self, rollout: RolloutDocument, exc: Exception) -> None:
        """Write down and log the first thing that went wrong in a stage; what follows would be so at every tick."""
        known, place = self._failures.get(rollout.model), _place(rollout)
        if known is None or known[0] != place:
            _log.exception("steering rollout %s of %s fails, and it is held", rollout.id, rollout.model)
            self._failures[rollout.model] = place, f"{type(exc).__name__}: {exc}"[:_LONGEST_FAILURE]
            self._untold.append(rollout.model)

    def _spec(self, rollout: RolloutDocument) -> TrialSpec | None:
        """Return the trial that a rollout asks for, if it does."""
        try:
            return trial_spec(rollout, self._slow_s)
        except Exception as exc:  # whatever it is, the other rollouts go on
            self._note_failure(rollout, exc)
            return None

    def _situation(self, rollout: RolloutDocument, fleet: Fleet, seen: Seen) -> Situation:
        route = self._route(rollout.model)
        progress = fleet.progress(rollout.model, rollout.candidate)
        digests = {status.digest for status in progress.workers.values() if status.digest}
        held_in = self._held(rollout, digests)
        since = counted_from(rollout, route)
        return Situation(
            rollout=replace(rollout, digest=rollout.digest or next(iter(sorted(digests)), "")),
            route=route,
            stage_s=self._stages.seconds(
                rollout.model, (rollout.id, rollout.stage, rollout.step, since), since or self._clock.unix_s()
            ),
            held_s=self._held_s(rollout),
            load="failed" if held_in else progress.state,
            load_why=held_in or progress.why,
            crash=progress.crash,
            is_home_ready=_is_ready(fleet, rollout.model, rollout.stable),
            is_home_lost=fleet.progress(rollout.model, rollout.stable).state == "failed",
            is_converged=route is not None and _is_applied(fleet, route),
            tripped=seen.tripped,
            incident=seen.incident,
            stale_s=seen.stale_s,
            findings=seen.findings,
            clearance=self._guard.look(
                rollout.model, rollout.candidate, stable=rollout.stable, starter=rollout.created_by
            ),
        )

    def _held_s(self, rollout: RolloutDocument) -> float:
        if not rollout.held_at:
            return 0.0
        return self._holds.seconds(rollout.model, (rollout.id, rollout.held_at), rollout.held_at)

    def _held(self, rollout: RolloutDocument, digests: set[str]) -> str:
        """Return why a candidate that has just loaded is in quarantine, which its name did not tell."""
        if rollout.stage != "validating":
            return ""
        standing = decode_standing(self._store.read(standing_key(rollout.model)))
        return "; ".join(standing.quarantined[digest].cause for digest in digests & standing.quarantined.keys())

    def _step(self, situation: Situation) -> tuple[str, ...]:
        """Make the move that a situation asks for; return the gates that took the candidate back, if any did."""
        rollout = situation.rollout
        try:
            if rollout.leader != self._holder:
                self._take_over(rollout)
            elif (move := decide(situation)) is not None:
                self._recorder.carry_out(
                    move,
                    rollout,
                    situation.route,
                    actor=LEADER,
                    verdicts=situation.verdicts,
                    epoch=self._epoch,
                    clearance=situation.clearance,
                )
                _log.info("rollout %s of %s is %s: %s", rollout.id, rollout.model, move.to, move.cause)
                return move.against
        except RevisionStale:
            _log.info("rollout %s of %s was changed meanwhile", rollout.id, rollout.model)
        except EpochStale:
            self._until = self._renew_at = -1e9
            _log.warning("another process leads the rollouts now")
        except WeirError:
            raise
        except Exception as exc:  # whatever it is, the other rollouts go on; the next tick holds this one
            self._note_failure(rollout, exc)
        return ()

    def _take_over(self, rollout: RolloutDocument) -> None:
        """Sign as the one who gathers the evidence; what another one had gathered is lost, and that has its price."""
        begins_anew = bool(rollout.leader) and trial_spec(rollout, self._slow_s) is not None
        after = replace(rollout, leader=self._holder, restarts=rollout.restarts + begins_anew)
        self._recorder.note(rollout, after, "rollout.lead", actor=LEADER, epoch=self._epoch)

    def _route(self, model: str) -> RouteDocument | None:
        document = self._store.read(route_key(model))
        return decode_route(document.body, document.revision) if document else None


def _place(rollout: RolloutDocument) -> tuple[str, str, int]:
    """Return which stage of which rollout it is: a failure is that of a stage."""
    return rollout.id, rollout.stage, rollout.step


def _is_ready(fleet: Fleet, model: str, version: str) -> bool:
    try:
        fleet.require_warm(model, version)
    except VersionNotWarm:
        return False
    return True


def _is_applied(fleet: Fleet, route: RouteDocument) -> bool:
    serving = fleet.serving
    return bool(serving) and all(worker.routes.get(route.model, 0) >= route.revision for worker in serving)
