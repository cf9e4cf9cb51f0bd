from typing import Any

import pytest

from gateway.codec.plain_yaml import parse_yaml
from gateway.demo.block_yaml import to_yaml


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": {"b": {"c": [1, 2.5, None, True]}}}, id="nested"),
        pytest.param({"a": ["no", "null", "1e5", "12:30", "a: b", "- x", "#", "", " ", "ü", "a\nb"]}, id="odd-words"),
        pytest.param({"a": [{"b": "x" * 200, "c": [{"d": 1}]}, {"b": 1, "c": []}]}, id="wide-items"),
        pytest.param({"a": {}, "b": [], "c": {"d": {}}, "e": [[1, 2], [3]]}, id="empty-and-lists-of-lists"),
    ],
)
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    assert parse_yaml(to_yaml(value).encode()) == value
