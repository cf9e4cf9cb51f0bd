"""Workers' announcements."""

import pytest

from gateway.errors import DocumentInvalid
from gateway.state.facts import decode_facts, encode_facts
from gateway.types import VersionStatus, WorkerFacts


def test_facts_come_back_as_they_were() -> None:
    versions = {"m": {"1": VersionStatus("ready", "abc"), "2": VersionStatus("refused", why="bytes changed")}}
    facts = WorkerFacts("w-1", 42, 1_700_000_000.5, versions, {"m": 7}, draining=True)
    assert decode_facts(encode_facts(facts)) == facts


def test_other_bytes_are_refused() -> None:
    with pytest.raises(DocumentInvalid):
        decode_facts(b'{"worker": "w"}')
