"""The situation of a rollout: everything that the policy may look at, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.governance.guard import FREE, Clearance
from gateway.rollout.document import RolloutDocument
from gateway.routing.document import RouteDocument
from monitors.records import TrialFindings, Verdict

__all__ = ["Situation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One rollout at one moment.

    Parameters
    ----------
    route
        The model's route as stored.
    stage_s, held_s
        Seconds in the stage, since the model was resumed where it was stopped in it, and seconds held; measured by a
        clock that does not jump.
    load, load_why
        Whether every worker has the candidate ready, and what is wrong where one does not.
    crash
        How the candidate brought a process down, in words; empty where it did not.
    is_home_ready, is_home_lost
        Whether every worker has the version ready that the rollout would go back to, and whether one cannot load it.
    is_converged
        Whether every worker applies the present revision of the route.
    tripped
        Workers that have set the canary's share to nothing by themselves.
    incident
        What is wrong with the stable version, in words; empty where nothing is.
    stale_s
        For how long workers have counted answers of which none was seen as evidence.
    findings
        What the evidence says; ``None`` where nobody gathers any.
    clearance
        Whether the candidate has what its tier demands before it takes live traffic, and the tier's rules.
    failure
        What went wrong in steering it, in words; empty where nothing did. It is held then, whatever else is so, unless
        the candidate crashes a process, somebody changes the route, or the hold reaches its deadline.
    """

    rollout: RolloutDocument
    route: RouteDocument | None
    stage_s: float = 0.0
    held_s: float = 0.0
    load: Literal["ready", "loading", "failed"] = "loading"
    load_why: str = ""
    crash: str = ""
    is_home_ready: bool = True
    is_home_lost: bool = False
    is_converged: bool = True
    tripped: int = 0
    incident: str = ""
    stale_s: float = 0.0
    findings: TrialFindings | None = None
    clearance: Clearance = FREE
    failure: str = ""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the stage that the rollout is in; none of another stage's."""
        findings = self._findings_of_the_stage
        return findings.verdicts if findings else ()

    @property
    def fault(self) -> str:
        """What failed in gathering or judging the evidence on the stage; empty where nothing did."""
        findings = self._findings_of_the_stage
        return findings.fault if findings else ""

    @property
    def _findings_of_the_stage(self) -> TrialFindings | None:
        findings, rollout = self.findings, self.rollout
        identity = (rollout.id, rollout.stage, rollout.step, rollout.restarts)
        return findings if findings is not None and findings.spec.identity == identity else None
