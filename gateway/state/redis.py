"""The state store in Redis: one truth for the gateways of several hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.clock import SystemClock
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import RevisionStale, StoreUnavailable
from gateway.state.known import Entry, Standing, StoreBehind
from gateway.state.redis_scripts import SCRIPTS
from gateway.state.store import AuditRecord, ChainHead, Document, EpochStale, HeadMoved, Write
from monitors.ports import Clock

__all__ = ["RedisStore"]

PAGE = 256
MOST_WORKERS = 10_000
HASH_LENGTH = 64
NOWHERE = Standing()


class RedisStore:
    """Documents, audit chain and announcements under ``weir:{namespace}:`` in one Redis database.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, without a password.
    password
        For the user that the address names, or the default one.
    namespace
        Tells the gateways that share a Redis apart; in braces in every key, so that all are in one slot of a cluster.
    timeout_s
        Bounds connecting and each answer. As long again, a store that failed is not asked: callers fail at once.
    ca_file
        Certificates to trust on ``rediss://``; the system's without it.
    clock
        Decides when announcements end. Without it the server's clock does, which all hosts share.

    Notes
    -----
    Blocks; safe from any thread, not over a fork. Every method is one script, or one for each 256 things that it reads;
    nothing connects before the first. ``floor`` is the highest state this store has shown: each script refuses, with
    :class:`StoreBehind`, to work on a store that does not contain it.

    A lost connection is tried once more. That is safe for commits too: the script knows a record that is already there.
    """

    def __init__(
        self,
        address: str,
        *,
        password: str = "",
        namespace: str = "weir",
        timeout_s: float = 0.5,
        ca_file: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        secure = {"ssl_ca_certs": ca_file} if ca_file and address.startswith("rediss:") else {}
        self._client = redis.Redis.from_url(
            address,
            password=password or None,
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 1, (redis.exceptions.ConnectionError,)),
            **secure,
        )
        self._base = f"weir:{{{namespace}}}:"
        names = ("head", "documents", "changed", "audit", "ends", "facts")
        self._keys = [self._base + name for name in names]
        self._scripts = {name: self._client.register_script(text) for name, text in SCRIPTS.items()}
        self._clock, self._timer = clock, SystemClock()
        self._timeout_s, self._rest_until, self._failure = timeout_s, -1e9, ""
        self._lock = threading.Lock()
        self._is_closed = False
        self._hints: redis.client.PubSub | None = None
        self.floor = NOWHERE

    def read(self, key: str) -> Document | None:
        """Return the document, or ``None``."""
        entry = _entry(self._run("read", key))
        return entry.document()

    def read_prefix(self, prefix: str) -> list[Document]:
        """Return all documents whose key starts with ``prefix``, by key."""
        found: list[Document] = []
        first, end = b"[" + prefix.encode(), b"(" + prefix.encode() + b"\xff"
        while True:
            page = self._run("page", first, end, PAGE)
            found += filter(None, (_entry(row).document() for row in page))
            if len(page) < PAGE:
                return found
            first = b"(" + page[-1][0]

    def revision(self) -> int:
        """Return the sequence of the last record."""
        return self.head().sequence

    def head(self) -> ChainHead:
        """Return the last record's sequence and hash."""
        standing = self.standing()
        return ChainHead(standing.sequence, standing.hash)

    def standing(self) -> Standing:
        """Return how far the store is."""
        _, standing = self._reply("standing", self.floor)
        return standing

    def commit(self, writes: Sequence[Write], record: AuditRecord, epoch: int | None = None) -> None:
        """Apply all writes and append the record, or nothing; see the protocol."""
        fence = "" if epoch is None else str(epoch)
        parts: list[Any] = [fence, record.sequence, record.previous_hash, record.hash, record.resource]
        parts.append(encode_document(record))
        for write in writes:
            parts += (write.key, write.expected_revision, _flagged(write.body))
        self._run("commit", *parts)

    def audit(self, after: int = 0, limit: int = 100, resource: str | None = None) -> list[AuditRecord]:
        """Return up to ``limit`` records with a sequence above ``after``, oldest first, optionally of one resource."""
        found: list[AuditRecord] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = self._run("audit", after, size, int(resource is not None), resource or "")
            found += (decode_document(row[HASH_LENGTH:], AuditRecord, source="audit record") for row in page)
            if len(page) < size:
                break
            after = found[-1].sequence
        return found

    def entries(self, at: int) -> list[tuple[str, bytes, bool]]:
        """Return a page of the chain as it lies there, from rank ``at`` on: score, hash and record, and whether the
        index of its resource has it. Empty after the last.
        """
        page = self._run("entries", at, at + PAGE - 1)
        return [(score.decode(), member, is_indexed == 1) for score, member, is_indexed in page]

    def announce(self, worker: str, facts: bytes, ttl_s: float) -> None:
        """Say that a worker lives and what it has; forgotten after ``ttl_s`` without another announcement."""
        self._run("announce", self._now(), worker, facts, ttl_s)

    def retire(self, worker: str) -> None:
        """Forget a worker at once."""
        self._run("retire", worker)

    def announcements(self) -> dict[str, bytes]:
        """Return the facts of all workers that live."""
        found = self._run("announcements", self._now(), MOST_WORKERS)
        return {worker.decode(): facts for worker, facts in sorted(found)}

    def lease(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew a lease; see the protocol."""
        epoch = self._run("lease", self._now(), name, holder, ttl_s)
        return int(epoch) if epoch else None

    def changes(self, after: int) -> tuple[Standing, list[Entry]]:
        """Return how far the store is, and every document, deleted ones too, changed by a record above ``after``.

        Raises
        ------
        StoreUnavailable
            Besides the usual, where the store changed while it was read.
        """
        found: list[Entry] = []
        seen: set[Standing] = set()
        while True:
            page, standing = self._reply("changes", self.floor, after, len(found), PAGE)
            seen.add(standing)
            found += map(_entry, page)
            if len(seen) > 1:
                raise StoreUnavailable("it changed while it was read")
            if len(page) < PAGE:
                return standing, found

    def restore(
        self, found: Standing, entries: Iterable[Entry], records: Sequence[AuditRecord], epoch: int
    ) -> Standing | None:
        """Put back documents of higher revisions and the records, the last of which becomes the head.

        Returns how far the store is then; nothing where it no longer stands as ``found``, and nothing was done.
        """
        parts: list[Any] = [found.sequence, found.hash, epoch, len(records)]
        for record in records:
            parts += (record.sequence, record.hash, record.resource, encode_document(record))
        for entry in entries:
            parts += (entry.key, entry.revision, _flagged(entry.body))
        try:
            _, standing = self._reply("restore", NOWHERE, *parts)
        except HeadMoved:
            return None
        with self._lock:
            self.floor = standing
        return standing

    def await_commit(self, timeout_s: float) -> bool:
        """Wait until a commit is told of, at most so long, and return whether one was. For one thread.

        A hint and not the truth: what is published while nobody listens is lost. After a silence the subscription is
        made anew, since a connection that died in silence looks like one on which nothing is said.

        Raises
        ------
        StoreUnavailable
            It does not answer, or does not let this user listen.
        """
        try:
            if self._hints is None:
                self._hints = self._client.pubsub()  # type: ignore[no-untyped-call]  # so in redis-py
                self._hints.subscribe(self._base + "commits")
            told = self._hints.get_message(timeout=timeout_s)
            if told is None:
                self._forget_hints()
            return told is not None and told["type"] == "message"
        except (redis.RedisError, OSError) as error:
            self._forget_hints()
            raise StoreUnavailable(_words(error)) from error

    def close(self) -> None:
        """Release the connections; the store must not be used afterwards."""
        self._is_closed = True
        self._client.close()

    def _forget_hints(self) -> None:
        if self._hints is not None:
            self._hints.close()
            self._hints = None

    def _now(self) -> str:
        return "" if self._clock is None else str(self._clock.unix_s())

    def _run(self, name: str, *arguments: Any) -> Any:
        return self._reply(name, self.floor, *arguments)[0]

    def _reply(self, name: str, floor: Standing, *arguments: Any) -> tuple[Any, Standing]:
        reply = self._call(name, [floor.sequence, floor.hash, floor.epoch, self._base, *arguments])
        if reply[0] != b"ok":
            raise _refusal(reply)
        standing = _standing(reply)
        with self._lock:
            if (standing.sequence, standing.epoch) > (self.floor.sequence, self.floor.epoch):
                self.floor = standing
        return reply[4], standing

    def _call(self, name: str, arguments: list[Any]) -> Any:
        if self._is_closed:
            raise StoreUnavailable("it is closed")
        if self._timer.monotonic_s() < self._rest_until:
            raise StoreUnavailable(self._failure)
        try:
            return self._scripts[name](keys=self._keys, args=arguments)
        except (redis.RedisError, OSError) as error:
            self._failure = _words(error)
            self._rest_until = self._timer.monotonic_s() + self._timeout_s
            raise StoreUnavailable(self._failure) from error


def _words(error: Exception) -> str:
    # A server that wants a password calls a command of many arguments a protocol error before it asks for one.
    is_refused = isinstance(error, redis.AuthenticationError) or "unauthenticated" in str(error)
    return f"it does not take this user and password: {error}" if is_refused else str(error)


def _entry(row: Any) -> Entry:
    key, revision, body = row
    return Entry(key.decode(), int(revision or 0), body)


def _flagged(body: bytes | None) -> bytes:
    return b"0" if body is None else b"1" + body


def _standing(reply: Any) -> Standing:
    return Standing(reply[1], reply[2].decode(), reply[3])


def _refusal(reply: Any) -> Exception:
    kind = reply[0]
    if kind == b"behind":
        return StoreBehind(_standing(reply))
    if kind == b"revision":
        return RevisionStale(reply[1].decode(), int(reply[2]), reply[3])
    if kind == b"epoch":
        return EpochStale(f"epoch {reply[1].decode()} is over")
    if kind == b"format":
        return StoreUnavailable(f"it has format {reply[1].decode()}, this Weir reads 1")
    return HeadMoved()
