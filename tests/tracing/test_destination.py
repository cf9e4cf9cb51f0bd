"""Where spans go to: an endpoint is a URL, and a file of headers is read line by line and never told."""

from pathlib import Path

import pytest

from gateway.codec.configuration import load_settings
from gateway.errors import DocumentInvalid
from gateway.tracing.destination import endpoint_fault, read_headers


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4318", "https://[::1]/otlp/", "http://c:1/v1/traces"])
def test_a_url_of_a_collector_is_fine(endpoint: str) -> None:
    assert endpoint_fault(endpoint) is None


@pytest.mark.parametrize(
    "endpoint",
    ["", "collector:4318", "grpc://c:4317", "http://", "http://c:99999", "http://c:0", "http://u:secret@c", "http://c?a",
     "http://c#a", "http://c d", "http://c\n", "http://[::1", "http://c:x"],
)  # fmt: skip
def test_any_other_text_is_refused_and_not_told(endpoint: str) -> None:
    assert endpoint_fault(endpoint) is not None
    with pytest.raises(DocumentInvalid, match="/tracing/endpoint: expected the URL of a collector") as refused:
        load_settings(None, {"WEIR_TRACING__ENDPOINT": endpoint or "x"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["", " weir", "we\x07ir", "w" * 129, "wéir"])
def test_a_service_has_a_printable_name(name: str) -> None:
    with pytest.raises(DocumentInvalid, match="/tracing/service_name"):
        load_settings(None, {"WEIR_TRACING__SERVICE_NAME": name})


def test_headers_are_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("# of the collector\nauthorization: Bearer a b:c \n\nx-scope-orgid:\tteam\n")
    assert read_headers(path) == {"authorization": "Bearer a b:c", "x-scope-orgid": "team"}
    assert read_headers(None) is None


@pytest.mark.parametrize("text", ["secret", "a b: secret", "a:", "a: secret\x00", "a: secrét", ": secret"])
def test_a_line_that_is_no_header_is_named_by_its_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "headers"
    path.write_text(f"fine: yes\n{text}\n", encoding="utf-8")
    with pytest.raises(DocumentInvalid, match=r"line 'name: value'|bytes that are not ASCII") as refused:
        read_headers(path)
    assert "secr" not in str(refused.value)


def test_a_file_that_is_too_long_is_refused_instead_of_being_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("a: b\n" * 20_000)
    with pytest.raises(DocumentInvalid, match="65,536 bytes at most"):
        read_headers(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="No such file"):
        read_headers(tmp_path / "nothing")
