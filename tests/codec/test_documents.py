"""Documents are read strictly, and every fault is named."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.codec.documents import decode_document, decode_yaml_document, encode_document
from gateway.errors import DocumentInvalid


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Whole:
    schema_version: Literal[1]
    parts: tuple[Part, ...] = ()
    main: Part | None = None
    labels: dict[str, str] = field(default_factory=dict)
    mode: Literal["a", "b"] = "a"
    fill: str | float | bool | None = None
    place: Path | None = None
    span: tuple[int, int] | None = None
    extra: Any = None


@dataclass(frozen=True, slots=True)
class Positive:
    n: int

    def __post_init__(self) -> None:
        if self.n <= 0:
            raise ValueError("a positive n")


def faults(data: bytes, type_: type[Any] = Whole) -> list[tuple[str, str]]:
    with pytest.raises(DocumentInvalid) as caught:
        decode_document(data, type_, source="it")
    return [(fault.pointer, fault.kind) for fault in caught.value.faults]


def test_a_document_becomes_nested_frozen_values() -> None:
    data = (
        b'{"schema_version": 1, "parts": [{"name": "x", "share": 1}], '
        b'"main": {"name": "y"}, "place": "/a", "span": [1, 2]}'
    )
    whole = decode_document(data, Whole, source="it")
    assert whole == Whole(1, (Part("x", 1.0),), Part("y"), place=Path("/a"), span=(1, 2))
    assert isinstance(whole.parts[0].share, float)


def test_what_is_written_reads_back_the_same() -> None:
    whole = Whole(
        1, (Part("é", 1e-7),), labels={"b": "1", "a": "2"}, fill=True, place=Path("p"), extra={"deep": [None]}
    )
    assert decode_document(encode_document(whole), Whole, source="it") == whole


def test_every_fault_is_named_with_its_place() -> None:
    data = (
        b'{"schema_version": 2, "parts": [{"share": "x"}, 3], "main": {"name": 1}, '
        b'"mode": "c", "labels": {"a/b": 1}, "no": 0}'
    )
    assert sorted(faults(data)) == [
        ("/labels/a~1b", "wrong_type"),
        ("/main/name", "wrong_type"),
        ("/mode", "value"),
        ("/no", "unknown"),
        ("/parts/0/name", "missing"),
        ("/parts/0/share", "wrong_type"),
        ("/parts/1", "wrong_type"),
        ("/schema_version", "value"),
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(b"", [("", "syntax")], id="empty"),
        pytest.param(b"{", [("", "syntax")], id="cut"),
        pytest.param(b"\xff", [("", "syntax")], id="not-utf-8"),
        pytest.param(b'{"schema_version": NaN}', [("", "syntax")], id="nan"),
        pytest.param(b'{"schema_version": 1, "schema_version": 1}', [("", "syntax")], id="member-twice"),
        pytest.param(b"[" * 100_000, [("", "syntax")], id="too-deep"),
        pytest.param(b"[]", [("", "wrong_type")], id="not-an-object"),
        pytest.param(b'{"schema_version": true}', [("/schema_version", "wrong_type")], id="true-is-not-one"),
        pytest.param(b'{"schema_version": 1.0}', [("/schema_version", "wrong_type")], id="float-is-not-one"),
        pytest.param(b'{"schema_version": 1, "span": [1]}', [("/span", "shape")], id="wrong-length"),
        pytest.param(b'{"schema_version": 1, "fill": []}', [("/fill", "wrong_type")], id="no-arm-fits"),
    ],
)
def test_a_broken_document_is_refused(data: bytes, found: list[tuple[str, str]]) -> None:
    assert faults(data) == found


def test_half_a_surrogate_pair_is_called_what_it_is() -> None:
    with pytest.raises(DocumentInvalid, match="expected text of valid Unicode, found half of a surrogate pair"):
        decode_document(rb'{"mode": "\ud800"}', Whole, source="body")


def test_a_value_object_may_refuse_itself() -> None:
    assert faults(b'{"n": 0}', Positive) == [("", "value")]


def test_yaml_reads_words_as_words() -> None:
    text = b"schema_version: 1\nfill: 1e3\nlabels: {norway: no, day: 2024-05-01, clock: 12:30, version: '1'}\n"
    whole = decode_yaml_document(text, Whole, source="it")
    assert whole.labels == {"norway": "no", "day": "2024-05-01", "clock": "12:30", "version": "1"}
    assert whole.fill == 1000.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(b"a: 1\na: 2", "key 'a' stands twice in line 2", id="key-twice"),
        pytest.param(b"a: &x [1]\nb: *x", "aliases are not read here in line 2", id="alias"),
        pytest.param(b"a: !!python/object:os.system {}", "could not determine a constructor", id="tag"),
        pytest.param(b"a: !!bool xyz", "does not fit the tag", id="no-boolean"),
        pytest.param(b"a: !!timestamp xyz", "does not fit the tag", id="no-time"),
        pytest.param(b"a: [1", "line", id="cut"),
        pytest.param(b"? [a]\n: 1", "a key must be a word", id="list-as-key"),
        pytest.param(b"\xff", "utf-8", id="not-utf-8"),
        pytest.param(b"- 1\n--- 2", "document", id="two-documents"),
        pytest.param(b"", "/schema_version: expected one of 1, found nothing", id="empty"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(DocumentInvalid, match=says):
        decode_yaml_document(text, Whole, source="it")
