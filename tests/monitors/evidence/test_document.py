import json

import numpy as np
import pytest

from monitors.evidence.document import read_model, write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema
from monitors.transport.documents import DocumentRefused
from tests.monitors.evidence.material import model, rows


@pytest.fixture(scope="module")
def text() -> bytes:
    return write_model(model(2000))


def test_a_model_read_back_is_the_same_bit_for_bit(text: bytes) -> None:
    fitted, again = model(2000), read_model(text)
    block = rows(np.random.default_rng(5), 64, missing=0.1)
    assert np.array_equal(again.table.nats_cbk, fitted.table.nats_cbk)
    assert np.array_equal(again.channels.counts(block, RowMemory()), fitted.channels.counts(block, RowMemory()))
    assert write_model(again) == text


def test_a_constant_feature_survives_the_way_there_and_back() -> None:
    values = np.random.default_rng(0).normal(size=(500, 3))
    values[:, 1] = 4.0
    schema = [FeatureSchema(name, "number", "float64") for name in "abc"]
    fitted = EvidenceModel.fit(Rows(values), schema)
    again = read_model(write_model(fitted))
    assert np.array_equal(again.channels.values(Rows(values)), fitted.channels.values(Rows(values)))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        pytest.param(("axes", 0, "edges", 3), -1e9, id="edges-that-fall"),
        pytest.param(("axes", 0, "cells", 3), 4096, id="a-cell-that-is-not"),
        pytest.param(("axes", 0, "counts"), [1], id="counts-missing"),
        pytest.param(("axes", 0, "counts", 0), 10**30, id="a-count-beyond-integers"),
        pytest.param(("axes", 0, "phi"), 0.5, id="dependence-below-one"),
        pytest.param(("axes", 0, "phi"), 1e300, id="dependence-that-blinds"),
        pytest.param(("axes", 0, "phi"), -3.0, id="dependence-below-nothing"),
        pytest.param(("heaped",), [0], id="an-axis-of-exact-values-too-many"),
        pytest.param(("heaped",), [2, 2], id="exact-values-of-a-category"),
        pytest.param(("components", "weights", 0, 0), 1e300, id="a-weight-beyond-whole-numbers"),
        pytest.param(("components", "scale", 0), 5e-324, id="a-scale-that-overflows"),
        pytest.param(("axes",), [], id="no-axes"),
        pytest.param(("components", "shown"), [99], id="a-component-that-is-not"),
        pytest.param(("components", "scale", 0), 0.0, id="no-scale"),
        pytest.param(("probabilities",), [7], id="a-class-that-is-not"),
        pytest.param(("ranks",), [], id="no-ranks"),
        pytest.param(("schema_version",), 2, id="another-version"),
    ],
)
def test_a_text_whose_parts_do_not_fit_is_refused(text: bytes, member: tuple[str | int, ...], value: object) -> None:
    document = json.loads(text)
    inner = document
    for key in member[:-1]:
        inner = inner[key]
    inner[member[-1]] = value
    with pytest.raises(DocumentRefused):
        read_model(json.dumps(document).encode())


def test_a_text_of_a_newer_release_says_so(text: bytes) -> None:
    with pytest.raises(DocumentRefused, match=r"\$\.schema_version: expected 1, all that this release reads: fit anew"):
        read_model(text.replace(b'"schema_version": 1', b'"schema_version": 2'))


def test_more_cells_than_are_ever_made_are_refused(text: bytes) -> None:
    document = json.loads(text)
    document["axes"][0] |= {"edges": [], "cells": [0], "inner": 65, "counts": [1] * 69, "every_row": []}
    with pytest.raises(DocumentRefused, match="at most 64 inner cells, found 65"):
        read_model(json.dumps(document).encode())
