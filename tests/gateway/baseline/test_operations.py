"""Baselines against a real store."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.baseline.operations import BaselineControl
from gateway.baseline.watching import baseline_reader
from gateway.clock import SystemClock
from gateway.errors import (
    DocumentInvalid,
    ModelUnknown,
    PreconditionMissing,
    ResourceUnknown,
    RevisionStale,
    StoreUnavailable,
    VersionUnknown,
)
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger, verify
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor, VersionStatus, WorkerFacts
from monitors.evidence.acceptance import refusal_of_text
from monitors.records import Baseline, StreamInfo
from tests.monitors.material import evidence, info

ANN = Actor("ann")
LOADED: dict[str, StreamInfo] = {"1": replace(info(), digest="sha256:ab")}


class OneModel:
    def models(self) -> dict[str, list[str]]:
        return {"m": ["1", "2"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", clock=SystemClock())
    yield store
    store.close()


@pytest.fixture
def control(store: SqliteStore) -> BaselineControl:
    clock = SystemClock()
    return BaselineControl(
        Ledger(store, clock),
        store,
        clock,
        repository=OneModel(),
        refusal_of_text=refusal_of_text,
        info_of=lambda _model, version: LOADED.get(version),
    )


def body(**changes: Any) -> bytes:
    asked = {
        "version": "1",
        "digest": "sha256:ab",
        "source": "log",
        "rows": 20_000,
        "factor": 1.5,
        "predicted": 0.1,
        "upper": 0.4,
        "evidence": evidence().decode(),
        "reason": "a quiet week",
    }
    return json.dumps(asked | changes).encode()


def test_an_accepted_baseline_is_shown_and_audited_without_its_text(
    control: BaselineControl, store: SqliteStore
) -> None:
    accepted = control.accept("m", body(), 0, ANN, "r-1")
    assert (accepted.revision, accepted.accepted.factor, accepted.accepted_by) == (1, 1.5, "ann")
    assert control.get("m") == accepted
    [record] = store.audit()
    assert (record.action, record.resource, record.reason) == ("baseline.accept", "baseline/m", "a quiet week")
    assert record.after["evidence_bytes"] == len(evidence())
    assert "schema_version" not in json.dumps(record.after)


def test_a_baseline_of_words_beyond_ascii_is_accepted_and_read_by_the_watch(
    control: BaselineControl, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"red": "r\u00f6t", "green": "\u7dd1"}
    known = [replace(f, categories=tuple(words.get(c, c) for c in f.categories)) for f in LOADED["1"].features]
    monkeypatch.setitem(LOADED, "1", replace(LOADED["1"], features=tuple(known)))
    text = evidence().decode()
    for word, other in words.items():
        text = text.replace(f'"{word}"', f'"{other}"')
    control.accept("m", body(evidence=text), 0, ANN)
    assert [baseline.evidence for baseline in baseline_reader(store).read()] == [text.encode()]


def test_a_baseline_is_replaced_by_compare_and_set(control: BaselineControl, store: SqliteStore) -> None:
    control.accept("m", body(), 0, ANN)
    with pytest.raises(RevisionStale):
        control.accept("m", body(), 0, ANN)
    with pytest.raises(PreconditionMissing):
        control.accept("m", body(), None, ANN)
    assert control.accept("m", body(version="2"), 1, ANN).revision == 2
    assert store.audit()[1].before["version"] == "1"
    verify(store.audit())


def test_reset_takes_the_baseline_away_once(control: BaselineControl, store: SqliteStore) -> None:
    control.accept("m", body(), 0, ANN)
    assert control.reset("m", ANN, "it was not normal").accepted.version == "1"
    assert store.audit()[-1].after is None
    with pytest.raises(ResourceUnknown):
        control.reset("m", ANN)
    assert control.accept("m", body(), 0, ANN).revision > 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"factor": 0.5}, id="factor-below-one"),
        pytest.param({"upper": 1.2}, id="promise-broken"),
        pytest.param({"predicted": 0.5}, id="prediction-above-its-bound"),
        pytest.param({"pages_per_week": 0.0}, id="no-promise"),
        pytest.param({"rows": 0}, id="no-rows"),
        pytest.param({"reason": " "}, id="no-reason"),
        pytest.param({"evidence": ""}, id="no-evidence"),
        pytest.param({"evidence": "{\ud800}"}, id="half-a-character"),
        pytest.param({"colour": "red"}, id="unknown-member"),
    ],
)
def test_a_body_that_breaks_its_rules_changes_nothing(
    changes: dict[str, Any], control: BaselineControl, store: SqliteStore
) -> None:
    with pytest.raises(DocumentInvalid):
        control.accept("m", body(**changes), 0, ANN)
    assert store.audit() == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('{"schema_version": 1}', "missing required field", id="another-document"),
        pytest.param("[" * 100_000, "not JSON", id="nesting-without-end"),
        pytest.param(evidence()[:-100].decode(), "not JSON", id="cut-short"),
        pytest.param(evidence().decode().replace('"phi": 1.0', '"phi": 0.0', 1), "a dependence from 1", id="nonsense"),
        pytest.param(evidence(3_000).decode(), "fewer than 5000 reference rows", id="too-few-rows"),
    ],
)
def test_evidence_that_the_watch_could_not_use_is_refused_and_named(
    text: str, why: str, control: BaselineControl, store: SqliteStore
) -> None:
    for version in ("1", "2"):  # 2 is loaded nowhere
        with pytest.raises(DocumentInvalid, match=why) as refused:
            control.accept("m", body(version=version, evidence=text), 0, ANN)
        assert [fault.pointer for fault in refused.value.faults] == ["/evidence"]
    assert store.audit() == []


def test_evidence_of_another_contract_than_the_loaded_version_has_is_refused(
    control: BaselineControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = replace(LOADED["1"], features=LOADED["1"].features[:2])
    monkeypatch.setitem(LOADED, "1", fewer)
    with pytest.raises(DocumentInvalid, match="of another contract: 3 features, the version has 2"):
        control.accept("m", body(), 0, ANN)
    monkeypatch.setitem(LOADED, "1", replace(fewer, features=(*fewer.features, replace(fewer.features[0], name="pay"))))
    with pytest.raises(DocumentInvalid, match="its feature 'colour' is not the version's 'pay'"):
        control.accept("m", body(), 0, ANN)
    monkeypatch.setitem(LOADED, "1", replace(info(), digest="sha256:ab", output=replace(info().output, classes=("a",))))
    with pytest.raises(DocumentInvalid, match="the version answers otherwise"):
        control.accept("m", body(), 0, ANN)


def test_models_and_versions_that_are_not_there_are_told(control: BaselineControl) -> None:
    with pytest.raises(ModelUnknown):
        control.get("nobody")
    with pytest.raises(ModelUnknown):
        control.accept("nobody", body(), 0, ANN)
    with pytest.raises(VersionUnknown):
        control.accept("m", body(version="9"), 0, ANN)


def test_other_contents_than_those_that_are_served_are_refused(control: BaselineControl, store: SqliteStore) -> None:
    facts = WorkerFacts("w-1", 1, 0.0, versions={"m": {"1": VersionStatus("ready", digest="sha256:cd")}})
    store.announce("w-1", encode_facts(facts), 60.0)
    with pytest.raises(DocumentInvalid, match="sha256:cd"):
        control.accept("m", body(), 0, ANN)
    assert control.accept("m", body(digest="sha256:cd"), 0, ANN).revision == 1


class StoreOf:
    """A store that may be away."""

    def __init__(self, store: SqliteStore) -> None:
        self._store, self.away = store, False

    def revision(self) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return self._store.revision()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_the_watch_reads_what_is_accepted_and_keeps_it_while_the_store_is_away(
    control: BaselineControl, store: SqliteStore
) -> None:
    source = StoreOf(store)
    reader = baseline_reader(source)
    assert reader.read() == ()
    control.accept("m", body(), 0, ANN)
    known = reader.read()
    assert known == (Baseline("m", "1", "sha256:ab", evidence(), 1.5),)
    assert reader.read() is known
    source.away = True
    assert reader.read() is known
    source.away = False
    control.reset("m", ANN)
    assert reader.read() == ()


def test_a_document_that_cannot_be_read_costs_nothing_that_was_known(
    control: BaselineControl, store: SqliteStore
) -> None:
    control.accept("m", body(), 0, ANN)
    reader = baseline_reader(store)
    known = reader.read()
    Ledger(store, SystemClock()).change(
        [Write("baseline/m", 1, b"{}"), Write("baseline/n", 0, b"{}")],
        actor=ANN, action="test", resource="baseline/m", before=None, after=None,
    )  # fmt: skip
    assert reader.read() == known
