from dataclasses import replace

import pytest

from monitors.evidence.acceptance import refusal_of_text
from monitors.evidence.document import describe_text, described, read_model
from tests.monitors.material import evidence, info


def test_a_text_is_described_as_the_model_that_it_holds() -> None:
    assert describe_text(evidence()) == described(read_model(evidence()))
    assert describe_text(evidence()).rows == 20_000


def test_evidence_of_the_version_is_accepted_and_that_of_another_contract_is_not() -> None:
    assert refusal_of_text(evidence(), info()) == ""
    assert refusal_of_text(evidence(), None) == ""
    assert "another contract" in refusal_of_text(evidence(), replace(info(), features=info().features[::-1]))


@pytest.mark.parametrize("text", [b"", b"null", b"\xff", b"{}", b"[" * 10_000, evidence(1_000)])
def test_what_promises_nothing_is_refused_with_a_reason(text: bytes) -> None:
    assert refusal_of_text(text, None)
