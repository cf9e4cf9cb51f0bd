"""Sessions: who reads them, when they end, and what is never taken for one."""

from pathlib import Path

import pytest

from gateway.access.caller import Caller
from gateway.errors import SessionEnded
from gateway.http.sessions import LIFETIME_S, Sessions, SignedOut
from tests.serving import HandClock

ADMIN = Caller("admin", ("admin",), "configured", "configured")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def sessions_of(folder: Path, clock: HandClock, token: str = "t") -> Sessions:
    return Sessions(token, SignedOut(folder / "signed-out"), clock)


def test_every_worker_that_has_the_token_reads_a_ticket(tmp_path: Path, clock: HandClock) -> None:
    session = sessions_of(tmp_path, clock).begin(ADMIN)
    assert sessions_of(tmp_path / "another host", clock).read(session.ticket) == session
    assert session.expires_at == int(clock.now_s) + LIFETIME_S
    assert session.ticket not in repr(session)
    assert session.csrf not in repr(session)


def test_a_session_ends_on_time(tmp_path: Path, clock: HandClock) -> None:
    sessions = sessions_of(tmp_path, clock)
    session = sessions.begin(ADMIN)
    clock.now_s = session.expires_at - 1.0
    assert not sessions.is_over(sessions.read(session.ticket))
    clock.now_s = float(session.expires_at)
    with pytest.raises(SessionEnded):
        sessions.read(session.ticket)


def test_signing_out_ends_it_for_every_worker_of_the_host_and_no_other_session(
    tmp_path: Path, clock: HandClock
) -> None:
    one, other = sessions_of(tmp_path, clock), sessions_of(tmp_path, clock)
    session, kept = one.begin(ADMIN), one.begin(ADMIN)
    one.end(session)
    one.end(session)
    assert other.is_over(session)
    with pytest.raises(SessionEnded):
        other.read(session.ticket)
    assert other.read(kept.ticket) == kept


def test_another_token_ends_all_sessions(tmp_path: Path, clock: HandClock) -> None:
    ticket = sessions_of(tmp_path, clock).begin(ADMIN).ticket
    with pytest.raises(SessionEnded):
        sessions_of(tmp_path, clock, "another").read(ticket)


def test_no_character_of_a_ticket_may_be_another_one(tmp_path: Path, clock: HandClock) -> None:
    sessions = sessions_of(tmp_path, clock)
    ticket = sessions.begin(ADMIN).ticket
    for at in range(len(ticket)):
        forged = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
        with pytest.raises(SessionEnded):
            sessions.read(forged)


@pytest.mark.parametrize("ticket", ["", ".", "x", "é", "A" * 32, "A" * 32 + "." + "A" * 43, "\x00"])
def test_what_is_no_ticket_is_no_session(ticket: str, tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(SessionEnded):
        sessions_of(tmp_path, clock).read(ticket)


def test_what_is_signed_out_is_bounded_and_the_first_to_expire_is_forgotten(tmp_path: Path, clock: HandClock) -> None:
    signed_out = SignedOut(tmp_path / "s", most=3)
    sessions = Sessions("t", signed_out, clock)
    ended = []
    for _ in range(5):
        clock.now_s += 1.0
        ended.append(sessions.begin(ADMIN))
        sessions.end(ended[-1])
    assert [signed_out.holds(session) for session in ended] == [False, False, True, True, True]


def test_a_session_names_who_signed_in_and_ends_with_the_token(tmp_path: Path, clock: HandClock) -> None:
    ann = Caller("ann", ("operator", "approver"), "oidc", "", expires_at=int(clock.now_s) + 60)
    sessions = sessions_of(tmp_path, clock)
    session = sessions.read(sessions.begin(ann).ticket)
    assert (session.caller, session.expires_at) == (ann, ann.expires_at)
