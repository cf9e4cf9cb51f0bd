"""Changes of a route as pure functions: what was asked, and the document that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from gateway.codec.documents import decode_document
from gateway.errors import DocumentInvalid, Fault, NothingToRollBack
from gateway.routing.document import FULL_BP, CanaryRoute, RouteDocument, ShadowRoute, Stop

__all__ = [
    "RouteRequest",
    "first_route",
    "parse_route_request",
    "propose",
    "resumed",
    "roll_back",
    "stopped",
    "version_order",
]

LONGEST_REASON = 500
SOURCE = "route"


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """What an operator asks for, checked: weights in basis points, versions that do not contradict each other."""

    stable: str
    canary: CanaryRoute | None
    shadows: tuple[ShadowRoute, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _CanaryBody:
    version: str
    weight: float


@dataclass(frozen=True, slots=True)
class _ShadowBody:
    version: str
    sample: float = 100.0


@dataclass(frozen=True, slots=True)
class _RouteBody:
    stable: str
    reason: str
    canary: _CanaryBody | None = None
    shadow: tuple[_ShadowBody, ...] = ()


def parse_route_request(body: bytes) -> RouteRequest:
    """Read the body of a route change.

    Raises
    ------
    DocumentInvalid
        With every fault by JSON Pointer: an unknown field, a percentage with more than two decimals or outside 0 to
        100, a version in two roles, no reason.
    """
    read = decode_document(body, _RouteBody, source=SOURCE)
    faults = [*_faults(read)]
    if faults:
        raise DocumentInvalid(SOURCE, faults)
    canary = CanaryRoute(read.canary.version, _basis_points(read.canary.weight)) if read.canary else None
    shadows = tuple(ShadowRoute(shadow.version, _basis_points(shadow.sample)) for shadow in read.shadow)
    return RouteRequest(read.stable, canary, shadows, read.reason.strip())


def propose(
    current: RouteDocument, request: RouteRequest, *, now: str, actor: str, salt_source: Callable[[], str]
) -> RouteDocument:
    """Return the document that a request makes of the current one; its revision is one higher.

    The salt stays while the canary's version stays, so that raising a weight only adds keys. The previous stable
    version is remembered when the stable one changes, and kept otherwise. A stopped model stays stopped.
    """
    same_canary = bool(request.canary and current.canary and request.canary.version == current.canary.version)
    return RouteDocument(
        model=current.model,
        revision=current.revision + 1,
        stable=request.stable,
        salt=current.salt if same_canary or request.canary is None else salt_source(),
        canary=request.canary,
        shadows=request.shadows,
        previous_stable=current.previous_stable if request.stable == current.stable else current.stable,
        reason=request.reason,
        updated_at=now,
        updated_by=actor,
        stop=current.stop,
        resumed_at=current.resumed_at,
    )


def stopped(
    current: RouteDocument,
    version: str | None,
    answer: dict[str, Any] | None,
    *,
    now: str,
    actor: str,
    reason: str,
) -> RouteDocument:
    """Return the document of a model in its safe state; of one that is there already, in the other one if it is."""
    return replace(
        current,
        revision=current.revision + 1,
        stop=Stop(reason, now, actor, version, answer),
        reason=reason,
        updated_at=now,
        updated_by=actor,
    )


def resumed(current: RouteDocument, *, now_s: float, now: str, actor: str, reason: str) -> RouteDocument:
    """Return the document with the route in force again, from Unix seconds ``now_s`` on."""
    after = replace(current, revision=current.revision + 1, stop=None, resumed_at=now_s)
    return replace(after, reason=reason, updated_at=now, updated_by=actor)


def roll_back(current: RouteDocument, *, now: str, actor: str, reason: str) -> RouteDocument:
    """Return the document without the canary or, where there is none, with the previous stable version.

    Raises
    ------
    NothingToRollBack
        There is neither.
    """
    changed = replace(current, revision=current.revision + 1, reason=reason, updated_at=now, updated_by=actor)
    if current.canary:
        return replace(changed, canary=None)
    if current.previous_stable is None:
        raise NothingToRollBack(current.model)
    shadows = tuple(shadow for shadow in current.shadows if shadow.version != current.previous_stable)
    return replace(changed, stable=current.previous_stable, previous_stable=None, shadows=shadows)


def first_route(model: str, versions: Sequence[str], chosen: str | None = None) -> RouteDocument:
    """Return the route of a model that has none: the chosen version or the highest integer takes all traffic.

    Revision, salt, time and actor are those of nobody yet: 0 and empty.

    Raises
    ------
    DocumentInvalid
        The choice is not there, or there is none and the names do not decide.

    Examples
    --------
    >>> first_route("fraud", ["1", "10", "9"]).stable
    '10'
    """
    if chosen is not None and chosen not in versions:
        raise _undecided(model, f"one of {', '.join(versions)}", f"the choice {chosen!r}")
    stable = chosen if chosen is not None else _highest(model, versions)
    return RouteDocument(model=model, revision=0, stable=stable, salt="", reason="first start")


def version_order(version: str) -> tuple[int, int, str]:
    """Sort key of version names: names that are no integers first, then integers by value.

    >>> sorted(["10", "9", "blue"], key=version_order)
    ['blue', '9', '10']
    """
    return (1, int(version), version) if _is_integer(version) else (0, 0, version)


def _is_integer(version: str) -> bool:
    return version.isascii() and version.isdigit()


def _highest(model: str, versions: Sequence[str]) -> str:
    expected = f"a highest integer version, or a choice: weir serve --stable {model}=VERSION"
    if not versions or not all(map(_is_integer, versions)):
        raise _undecided(model, expected, f"the versions {', '.join(versions) or '(none)'}")
    highest = max(map(int, versions))
    leading = [version for version in versions if int(version) == highest]
    if len(leading) > 1:
        raise _undecided(model, expected, f"{' and '.join(leading)}, which are equal")
    return leading[0]


def _undecided(model: str, expected: str, found: str) -> DocumentInvalid:
    return DocumentInvalid(f"first route of {model}", [Fault("/stable", "value", expected, found)])


def _faults(read: _RouteBody) -> Iterator[Fault]:
    if not 1 <= len(read.reason.strip()) <= LONGEST_REASON:
        found = f"{len(read.reason.strip())} characters"
        yield Fault("/reason", "value", f"1 to {LONGEST_REASON} characters that say why", found)
    if read.canary:
        yield from _percent_faults(read.canary.weight, "/canary/weight")
    for i, shadow in enumerate(read.shadow):
        yield from _percent_faults(shadow.sample, f"/shadow/{i}/sample")
    yield from _role_faults(read)


def _percent_faults(percent: float, at: str) -> Iterator[Fault]:
    if not 0 <= percent <= 100:
        yield Fault(at, "out_of_range", "a percentage from 0 to 100", repr(percent))
    elif (exact := _exact_basis_points(percent)) != int(exact):
        yield Fault(at, "value", "a percentage with at most two decimals", repr(percent))


def _role_faults(read: _RouteBody) -> Iterator[Fault]:
    """Stable, canary and each shadow are other versions; only a canary may be watched as a shadow too."""
    if not read.stable:
        yield Fault("/stable", "value", "a version", "an empty string")
    if read.canary and read.canary.version == read.stable:
        yield Fault("/canary/version", "value", "another version than /stable", repr(read.stable))
    taken = {read.stable: "/stable"}
    for i, shadow in enumerate(read.shadow):
        at = f"/shadow/{i}/version"
        if taken.setdefault(shadow.version, at) != at:
            yield Fault(at, "value", f"another version than {taken[shadow.version]}", repr(shadow.version))


def _exact_basis_points(percent: float) -> Decimal:
    # repr is the shortest text that means this float, so 33.33 is exactly the 33.33 that was sent.
    return Decimal(repr(percent)) * FULL_BP / 100


def _basis_points(percent: float) -> int:
    return int(_exact_basis_points(percent))
