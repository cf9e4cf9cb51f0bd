"""Constant answers: what a version could have answered is taken, and given for every row; nothing else is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.engine.constant import ConstantRefused, constant_row, constant_version
from gateway.engine.version import ServableVersion
from tests import models
from tests.engine.test_loading import total_of_all
from tests.serving import servable_of

NAMED = "interface: {classes: [good, bad]}"


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServableVersion]:
    folder = tmp_path_factory.mktemp("constant")
    return {
        "matrix": servable_of(folder / "1", models.matrix_classifier(), manifest=NAMED),
        "zipmap": servable_of(folder / "2", models.zipmap_classifier()),
        "columns": servable_of(folder / "3", models.columns_classifier()),
        "regressor": servable_of(folder / "4", models.regressor()),
        "outputs": servable_of(folder / "5", models.multi_output()),
    }


@pytest.mark.parametrize(
    ("name", "answer", "row", "prediction"),
    [
        pytest.param("matrix", "bad", {"label": 1, "probabilities": [0.0, 1.0]}, "bad", id="named class"),
        pytest.param(
            "zipmap", 2, {"output_label": 2, "output_probability": [0.0, 0.0, 1.0]}, 2, id="map from class to float"
        ),
        pytest.param(
            "columns", "setosa", {"label": "setosa", "probabilities": [1.0, 0.0, 0.0]}, "setosa", id="string class"
        ),
        pytest.param("regressor", 12.5, {"variable": 12.5}, 12.5, id="number"),
        pytest.param("regressor", {"variable": [3]}, {"variable": [3]}, 3.0, id="output by name"),
        pytest.param(
            "matrix",
            {"label": 0, "probabilities": [0.75, 0.25]},
            {"label": 0, "probabilities": [0.75, 0.25]},
            "good",
            id="probabilities of one's own",
        ),
        pytest.param(
            "matrix",
            {"label": 1, "probabilities": [0.5, 0.5]},
            {"label": 1, "probabilities": [0.5, 0.5]},
            "bad",
            id="as likely as another",
        ),
    ],
)
def test_every_row_gets_it_as_the_version_would_give_it(
    versions: dict[str, ServableVersion], name: str, answer: Any, row: dict[str, Any], prediction: Any
) -> None:
    version = versions[name]
    assert constant_row(version, answer) == row
    constant = constant_version(version, row)
    outputs = constant.run({}, 3)
    assert version.reader.predictions(outputs) == [prediction] * 3
    assert [np.asarray(output).shape[0] for output in outputs.raw] == [3] * len(version.outputs)
    if version.contract.outputs.classes:
        assert outputs.scores_nk is not None
        assert outputs.scores_nk.sum(axis=1).tolist() == [1.0] * 3
    assert (constant.contract, constant.info) == (version.contract, version.info)


def test_types_and_shapes_are_those_of_the_graph(versions: dict[str, ServableVersion]) -> None:
    version = versions["outputs"]
    row = constant_row(version, {"total": 1, "largest": [2.5], "doubled": [1, 2, 3]})
    raw = constant_version(version, row).run({}, 2).raw
    assert [array.dtype.name for array in raw] == ["float32"] * 3
    assert [array.shape for array in raw] == [(2, 1), (2, 1), (2, 3)]


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        pytest.param("matrix", "ugly", "one of the classes good, bad, found 'ugly'", id="no class"),
        pytest.param("zipmap", True, "one of the classes 0, 1, 2, found true", id="no class but equal to one"),
        pytest.param("regressor", "much", "/variable: expected values of the type float32, found 'much'", id="text"),
        pytest.param("regressor", 1e300, "expected finite numbers", id="beyond the type"),
        pytest.param("regressor", {"y": 1}, "expected the outputs variable, found y", id="no output"),
        pytest.param("regressor", {"variable": [1, 2]}, "/variable: expected a row of the shape [1]", id="shape"),
        pytest.param("regressor", {"variable": [[1], [2, 3]]}, "/variable: expected values", id="ragged"),
        pytest.param("outputs", 1.0, "expected the outputs total, largest, doubled, found total", id="which output"),
        pytest.param("matrix", {"label": 1}, "expected the outputs label, probabilities", id="half"),
        pytest.param("matrix", {"label": 5, "probabilities": [1, 0]}, "/label: expected one of 0, 1", id="label"),
        pytest.param("matrix", {"label": 1, "probabilities": [0.5, 0.1]}, "/probabilities: expected", id="sum"),
        pytest.param(
            "matrix",
            {"label": 1, "probabilities": [0.75, 0.25]},
            "/probabilities: expected 1 to be the likeliest class, as the label says, found 0",
            id="label and probabilities disagree",
        ),
        pytest.param("matrix", {"label": 1, "probabilities": [2, -1]}, "/probabilities: expected", id="negative"),
        pytest.param("matrix", {"label": 1, "probabilities": [1]}, "/probabilities: expected a row", id="one short"),
        pytest.param("matrix", {"label": 2**70, "probabilities": [1, 0]}, "/label: expected values", id="too large"),
    ],
)
def test_what_the_version_could_not_answer_is_refused(
    versions: dict[str, ServableVersion], name: str, answer: Any, told: str
) -> None:
    with pytest.raises(ConstantRefused) as refused:
        constant_row(versions[name], answer)
    assert told in str(refused.value)


def test_a_version_that_does_not_answer_row_by_row_has_none(tmp_path: Path) -> None:
    version = servable_of(tmp_path, total_of_all())
    assert version.max_batch_rows is None
    with pytest.raises(ConstantRefused, match="row by row"):
        constant_row(version, 1.0)
