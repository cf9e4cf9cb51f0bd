"""What a client says of its haste is read strictly, and never lets it wait longer than the gateway would."""

import pytest

from gateway.admission.deadline import HIGH, LOW, NORMAL, USUAL, Urgency, of_headers, of_parameters
from gateway.errors import BodyMalformed, HeaderInvalid

DEADLINE, PRIORITY = b"x-request-deadline-ms", b"x-request-priority"


def test_silence_is_no_haste() -> None:
    assert of_headers([(b"content-type", b"application/json")]) == USUAL == Urgency(None, NORMAL)


@pytest.mark.parametrize(
    ("text", "deadline_s"), [(b"1", 0.001), (b"250", 0.25), (b"0250", 0.25), (b"86400000", 86_400)]
)
def test_a_deadline_is_in_milliseconds(text: bytes, deadline_s: float) -> None:
    assert of_headers([(DEADLINE, text)]).deadline_s == deadline_s


@pytest.mark.parametrize(
    "text", [b"", b"0", b"-1", b"1.5", b"1e3", b" 1", b"86400001", b"9" * 5_000, b"soon", b"\xb2", b"\xd9\xa3"]
)
def test_another_deadline_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(HeaderInvalid, match="x-request-deadline-ms: expected an integer from 1 to 86400000"):
        of_headers([(DEADLINE, text)])


@pytest.mark.parametrize(
    ("text", "priority"),
    [(b"high", HIGH), (b"Normal", NORMAL), (b"LOW", LOW), (b"0", NORMAL), (b"1", HIGH), (b"2", NORMAL), (b"9999", LOW)],
)
def test_a_priority_is_a_name_or_a_level(text: bytes, priority: int) -> None:
    assert of_headers([(PRIORITY, text)]).priority == priority


@pytest.mark.parametrize("text", [b"", b"urgent", b"-1", b"1.0", b"9" * 5_000, b"\xff"])
def test_another_priority_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(HeaderInvalid, match="x-request-priority: expected high, normal, low or an integer"):
        of_headers([(PRIORITY, text)])


def test_what_is_told_of_a_wrong_header_is_short() -> None:
    with pytest.raises(HeaderInvalid) as caught:
        of_headers([(DEADLINE, b"x" * 10_000)])
    assert len(str(caught.value)) < 200


def test_of_a_repeated_header_the_first_counts() -> None:
    assert of_headers([(DEADLINE, b"10"), (DEADLINE, b"20"), (PRIORITY, b"low"), (PRIORITY, b"high")]) == (0.01, LOW)


def test_nobody_waits_longer_than_the_gateway_would() -> None:
    assert Urgency(60.0).deadline_at(100.0, 30.0) == Urgency().deadline_at(100.0, 30.0) == 130.0
    assert Urgency(0.5).deadline_at(100.0, 30.0) == 100.5


@pytest.mark.parametrize(
    ("parameters", "headers", "urgency"),
    [
        pytest.param({}, Urgency(1.0, LOW), Urgency(1.0, LOW), id="absent"),
        pytest.param({"timeout": 2_000_000}, USUAL, Urgency(2.0), id="microseconds"),
        pytest.param({"timeout": 0, "priority": 0}, Urgency(1.0, LOW), Urgency(1.0, LOW), id="zero-is-not-set"),
        pytest.param({"timeout": 2_000_000}, Urgency(1.0), Urgency(1.0), id="earlier-header-wins"),
        pytest.param({"timeout": 500_000}, Urgency(1.0), Urgency(0.5), id="earlier-parameter-wins"),
        pytest.param({"priority": 1}, USUAL, Urgency(None, HIGH), id="first-level-is-high"),
        pytest.param({"priority": 7}, USUAL, Urgency(None, LOW), id="later-levels-are-low"),
        pytest.param({"priority": 2}, Urgency(None, LOW), Urgency(None, NORMAL), id="parameter-wins"),
    ],
)
def test_parameters_of_the_protocol_join_the_headers(
    parameters: dict[str, object], headers: Urgency, urgency: Urgency
) -> None:
    assert of_parameters(parameters, headers) == urgency


@pytest.mark.parametrize("name", ["timeout", "priority"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "1", None, [1]])
def test_another_parameter_is_refused_by_pointer(name: str, value: object) -> None:
    with pytest.raises(BodyMalformed) as caught:
        of_parameters({name: value})
    assert caught.value.faults[0].pointer == f"/parameters/{name}"
