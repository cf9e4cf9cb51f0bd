"""Settings, manifests, admin bodies and stored documents: any text is refused by name, or means one thing for ever."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog.manifest import Manifest
from gateway.catalog.manifest_reader import read_manifest
from gateway.codec.configuration import check_settings
from gateway.codec.documents import decode_document, decode_yaml_document, encode_document
from gateway.errors import DocumentInvalid
from gateway.http.problems import problem_bytes
from gateway.routing.document import RouteDocument
from gateway.settings import Settings
from gateway.state.store import AuditRecord
from monitors.records import Alert
from monitors.transport.documents import DocumentRefused
from monitors.transport.documents import decode_document as decode_record
from monitors.transport.documents import encode_document as encode_record
from tests.fuzz.json_texts import members, scalars, values

TYPES = (Settings, Manifest, RouteDocument, AuditRecord)
MANY = settings(max_examples=50, deadline=None, derandomize=True)
YAML = ["&a 1", "*a", "!!python/name:os.system", "<<: {a: 1}", "1e999", "0o7", "12:30", "~", "-.inf", "%"]


def names_in(type_: Any) -> list[str]:
    """Give the names of all members of a dataclass, and of those in it."""
    found: list[str] = []
    for field in fields(type_):
        found.append(field.name)
        inner = get_type_hints(type_)[field.name]
        for part in (inner, *getattr(inner, "__args__", ())):
            if is_dataclass(part):
                found += names_in(part)
    return list(dict.fromkeys(found))


def texts_of(type_: Any, odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = names_in(type_)
    inner = odd | values(names)
    return members(names, inner | members(names, inner), most=12) | inner


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.__name__)
@given(data=st.data())
@MANY
def test_json_is_refused_or_means_one_thing(type_: Any, data: st.DataObject) -> None:
    text = data.draw(texts_of(type_, scalars)).encode("utf-8", "surrogatepass")
    check(lambda source: decode_document(text, type_, source=source), type_)


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.__name__)
@given(data=st.data())
@MANY
def test_yaml_is_refused_or_means_one_thing(type_: Any, data: st.DataObject) -> None:
    text = data.draw(texts_of(type_, scalars | st.sampled_from(YAML)) | st.text()).encode("utf-8", "surrogatepass")
    check(lambda source: decode_yaml_document(text, type_, source=source), type_)


@given(data=st.data())
@MANY
def test_a_manifest_is_refused_or_read(data: st.DataObject) -> None:
    text = (
        data.draw(texts_of(Manifest, scalars)).replace("{", '{"schema_version":1,', 1).encode("utf-8", "surrogatepass")
    )
    check(lambda source: read_manifest(text, model="m", source=source), Manifest)


@given(data=st.data())
@MANY
def test_settings_are_in_their_ranges_or_refused(data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(["limits", "admission", "serving", "monitor"]))
    names = [field.name for field in fields(getattr(Settings(), section))]
    text = f'{{"{section}":{data.draw(members(names, scalars))}}}'.encode("utf-8", "surrogatepass")

    def read(source: str) -> Settings:
        found = decode_document(text, Settings, source=source)
        check_settings(found, source)
        return found

    check(read, Settings)


@given(data=st.data())
@MANY
def test_a_stored_alert_is_refused_or_comes_back(data: st.DataObject) -> None:
    text = data.draw(texts_of(Alert, scalars)).encode("utf-8", "surrogatepass")
    try:
        alert = decode_record(text, Alert)
    except DocumentRefused:
        return
    assert decode_record(encode_record(alert), Alert) == alert


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[" * 200_000, id="brackets"),
        pytest.param(b'{"a":' * 100_000, id="objects"),
        pytest.param(b"- " * 50_000, id="lists of yaml"),
        pytest.param(b"a: &a [x]\nb: *a", id="alias"),
        pytest.param(b'{"limits":{"read_timeout_s":1' + b"0" * 400 + b"}}", id="integer beyond floats"),
        pytest.param(b"limits: {read_timeout_s: 1e999}", id="infinity"),
        pytest.param(b'host: "\\ud800"', id="half a character"),
    ],
)
def test_hostile_documents_are_refused(text: bytes) -> None:
    for decode in (decode_document, decode_yaml_document):
        with pytest.raises(DocumentInvalid):
            decode(text, Settings, source="hostile")


def check(read: Callable[[str], Any], type_: Any) -> None:
    """Read; a refusal can be told, and what was read is the same after it was written."""
    try:
        found = read("the document")
    except DocumentInvalid as error:
        status, _, body = problem_bytes(error)
        told = json.loads(body)
    else:
        assert isinstance(found, type_)
        written = encode_document(found)
        json.loads(written, parse_constant=pytest.fail)
        assert decode_document(written, type_, source="again") == found
        return
    assert status == 422
    assert told["total_errors"] >= 1
