"""JSON documents of the monitors."""

from dataclasses import dataclass

import pytest

from monitors.transport.documents import DocumentRefused, decode_document, encode_document


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part."""

    x: float


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole."""

    name: str
    leaves: tuple[Leaf, ...] = ()


def test_a_document_comes_back() -> None:
    tree = Tree("oak", (Leaf(1.0), Leaf(0.1)))
    assert decode_document(encode_document(tree), Tree) == tree


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param(b'{"name": 1}', "$.name", id="type"),
        pytest.param(b"{}", "$", id="too-few"),
        pytest.param(b'{"name": "a", "leaves": [{"x": 1, "y": 2}]}', "$.leaves[0]", id="too-many"),
        pytest.param(b"[" * 100_000, "$", id="depth"),
    ],
)
def test_what_is_not_the_document_is_refused_by_place(text: bytes, where: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        decode_document(text, Tree)
    assert refused.value.where == where
