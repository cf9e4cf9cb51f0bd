"""First routes: a model that has none gets one when the gateway starts."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.errors import DocumentInvalid, Fault, RevisionStale
from gateway.governance.guard import FREE, Clearance, evidence_of
from gateway.routing.change import first_route
from gateway.routing.codec import encode_route, route_key, route_view
from gateway.routing.document import RouteDocument
from gateway.state.ledger import Ledger, rfc3339
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock

__all__ = ["SYSTEM", "seed_routes"]

_log = logging.getLogger("weir.seeding")
SYSTEM: Final = Actor("weir", role="system", method="internal")


def seed_routes(
    ledger: Ledger,
    store: StateStore,
    clock: Clock,
    versions_by_model: Mapping[str, Sequence[str]],
    chosen: Mapping[str, str],
    *,
    salt_source: Callable[[], str] = lambda: secrets.token_hex(16),
    clearance: Callable[[str, str], Clearance] = lambda _model, _version: FREE,
) -> list[str]:
    """Give every model without a route its first one; of several processes that do so, one does.

    Parameters
    ----------
    clearance
        Says of a model's version whether it may take live traffic. A model whose version may not gets no route, and
        the log says why; it answers 503 until somebody sets one.

    Returns
    -------
    list of str
        The models that had none.

    Raises
    ------
    gateway.errors.DocumentInvalid
        Names do not decide which version is stable; says so for every such model, and seeds none.
    """
    stored = {document.key for document in store.read_prefix(route_key(""))}
    missing = {model: versions for model, versions in versions_by_model.items() if route_key(model) not in stored}
    routes, faults = [], list[Fault]()
    for model, versions in sorted(missing.items()):
        try:
            routes.append(first_route(model, versions, chosen.get(model)))
        except DocumentInvalid as error:
            faults.extend(error.faults)
    if faults:
        raise DocumentInvalid("first routes", faults)
    cleared = [(route, found) for route in routes if (found := clearance(route.model, route.stable)).is_met]
    for route, found in cleared:
        now = rfc3339(clock.unix_s())
        seeded = replace(route, revision=1, salt=salt_source(), updated_at=now, updated_by=SYSTEM.subject)
        _seed(ledger, seeded, found)
    for route in routes:
        if all(route is not seeded for seeded, _ in cleared):
            _log.warning(
                "%s gets no route: version %s may not take all traffic yet, see weir approval list %s %s; once it may, "
                "weir route set %s --stable %s",
                *(route.model, route.stable) * 3,
            )
    return [route.model for route, _ in cleared]


def _seed(ledger: Ledger, route: RouteDocument, clearance: Clearance) -> None:
    key = route_key(route.model)
    try:
        ledger.change(
            [Write(key, 0, encode_route(route)), *clearance.guards],
            actor=SYSTEM,
            action="route.seed",
            resource=key,
            before=None,
            after=route_view(route),
            reason=route.reason,
            request_id="",
            evidence=evidence_of([clearance]),
        )
    except RevisionStale:
        return  # another process was first, or an approval was withdrawn: the next start looks again
