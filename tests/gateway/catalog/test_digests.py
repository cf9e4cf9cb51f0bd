"""The register of first digests, on a real store."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.catalog.bundle import Bundle, read_bundle
from gateway.catalog.digests import DigestRegister
from gateway.clock import SystemClock
from gateway.errors import VersionRefused
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import Actor
from tests import models

ACTOR = Actor("worker-1", role="worker", method="internal")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = models.write_bundle(tmp_path / "m" / "1", models.multi_output())
    return read_bundle(folder, model="m", version="1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "weir.db")
    yield store
    store.close()


@pytest.fixture
def register(store: SqliteStore) -> DigestRegister:
    return DigestRegister(Ledger(store, SystemClock()), store)


def test_the_first_load_is_recorded_with_an_audit_record(
    register: DigestRegister, store: SqliteStore, bundle: Bundle
) -> None:
    register.admit(bundle, ACTOR)
    document = store.read("digest/m/1")
    assert document is not None
    assert document.body == f'{{"digest":"{bundle.digest}"}}'.encode()
    [record] = store.audit()
    assert (record.action, record.resource, record.actor["subject"]) == ("version.admit", "digest/m/1", "worker-1")


def test_the_same_content_is_admitted_again_without_a_record(
    register: DigestRegister, store: SqliteStore, bundle: Bundle
) -> None:
    register.admit(bundle, ACTOR)
    register.admit(bundle, ACTOR)
    assert len(store.audit()) == 1


def test_changed_bytes_under_the_same_version_are_refused(register: DigestRegister, bundle: Bundle) -> None:
    register.admit(bundle, ACTOR)
    changed = replace(bundle, digest="sha256:" + "f" * 64)
    with pytest.raises(VersionRefused) as caught:
        register.admit(changed, ACTOR)
    assert bundle.digest in caught.value.why
    assert changed.digest in caught.value.why
    assert "publish the new ones as a new version" in caught.value.why


def test_another_version_has_a_digest_of_its_own(register: DigestRegister, bundle: Bundle) -> None:
    register.admit(bundle, ACTOR)
    register.admit(replace(bundle, version="2", digest="sha256:" + "f" * 64), ACTOR)


def test_of_two_contents_loaded_at_once_only_one_is_admitted(
    tmp_path: Path, store: SqliteStore, bundle: Bundle
) -> None:
    contents = [replace(bundle, digest=f"sha256:{i:064x}") for i in range(4)]
    barrier = threading.Barrier(len(contents))
    refused: list[str] = []

    def load(content: Bundle) -> None:
        own = SqliteStore(tmp_path / "weir.db")
        barrier.wait()
        try:
            DigestRegister(Ledger(own, SystemClock()), own).admit(content, ACTOR)
        except VersionRefused:
            refused.append(content.digest)
        finally:
            own.close()

    threads = [threading.Thread(target=load, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == len(contents) - 1
    assert len(store.audit()) == 1


def test_who_signed_is_recorded_once_and_again_when_another_key_signs(
    register: DigestRegister, store: SqliteStore, bundle: Bundle
) -> None:
    register.admit(bundle, ACTOR)
    for key in ("a" * 64, "a" * 64, "b" * 64, ""):
        register.admit(replace(bundle, signed_by=key), ACTOR)
    first, second = store.audit(resource="digest/m/1")[1:]
    assert (first.action, first.before) == ("version.signature", None)
    assert first.after == {"signed_by": "a" * 64, "digest": bundle.digest}
    assert (second.before, second.after["signed_by"]) == ({"signed_by": "a" * 64}, "b" * 64)
