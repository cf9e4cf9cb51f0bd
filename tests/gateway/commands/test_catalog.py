"""``weir models``, ``weir profile`` and ``weir schema``, through the command line."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
import typer
from sklearn.datasets import load_diabetes, load_iris
from typer.testing import CliRunner, Result

from gateway.catalog.schema import schema_text
from gateway.commands.catalog import register
from monitors.reference import from_json
from tests import models


def weir(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def iris_table(tmp_path: Path) -> Path:
    iris = load_iris()
    rows = [(x[2], x[3], "short" if x[0] < 5.4 else "long", y) for x, y in zip(iris.data, iris.target, strict=True)]
    return write_csv(tmp_path / "iris.csv", ["petal_length", "petal_width", "sepal", "species"], rows)


def test_models_lists_what_may_serve(tmp_path: Path) -> None:
    models.write_bundle(tmp_path / "iris" / "1", models.columns_classifier(), **{"card.md": "# Iris"})
    result = weir("models", tmp_path)
    assert result.exit_code == 0
    for words in ("iris/1", "3 inputs", "columns", "card", "ok"):
        assert words in result.stdout


def test_models_says_why_a_version_is_refused_and_fails(tmp_path: Path) -> None:
    models.write_bundle(tmp_path / "good" / "1", models.regressor())
    models.write_bundle(tmp_path / "evil" / "1", models.custom_domain_model())
    models.write_bundle(
        tmp_path / "typo" / "1", models.regressor(), **{"model.yaml": "schema_version: 1\nservng: {}\n"}
    )
    models.write_bundle(tmp_path / "profile" / "1", models.regressor(), **{"reference.json": "{"})
    (tmp_path / "bad name").mkdir()
    result = weir("models", tmp_path)
    assert result.exit_code == 1
    assert "refused: evil/1: model.onnx uses the operator Anything" in result.stdout
    assert "refused: typo/1: typo/1/model.yaml: /servng: expected" in result.stdout
    assert "refused: profile/1: reference.json:" in result.stdout
    assert "left aside: bad name:" in result.stdout
    assert "refused: good/1" not in result.stdout


def test_models_runs_the_golden_rows(tmp_path: Path) -> None:
    golden = {"instances": [[1, 2, 3, 4]], "predictions": [99]}
    manifest = "schema_version: 1\nevaluation: {golden_set: {path: golden.json}}\n"
    files = {"model.yaml": manifest, "golden.json": json.dumps(golden)}
    models.write_bundle(tmp_path / "iris" / "1", models.zipmap_classifier(), **files)
    result = weir("models", tmp_path)
    assert result.exit_code == 1
    assert "golden row 0 expects 99" in result.stdout


def test_models_prints_json(tmp_path: Path) -> None:
    models.write_bundle(tmp_path / "m" / "1", models.matrix_classifier())
    report = json.loads(weir("models", tmp_path, "--json").stdout)
    [verdict] = report["versions"]
    assert (verdict["model"], verdict["version"], verdict["refused"]) == ("m", "1", None)
    assert verdict["inputs"] == ["X float32[n, 30]"]
    assert report["problems"] == []


def test_models_of_a_folder_that_is_not_there_fails(tmp_path: Path) -> None:
    result = weir("models", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "is not a folder" in result.stdout
    assert f"no version found in {tmp_path / 'nowhere'}" in result.stdout


def test_names_of_a_model_are_no_commands_to_the_terminal(tmp_path: Path) -> None:
    graph = onnx.load_model_from_string(models.echo_model())
    graph.graph.input[0].name = graph.graph.node[0].input[0] = "x\x1b[2J[red]"
    models.write_bundle(tmp_path / "m" / "1", graph.SerializeToString())
    result = weir("models", tmp_path)
    assert "\x1b" not in result.stdout
    assert r"x\x1b[2J[red]" in result.stdout


def test_profile_writes_the_reference_of_a_table_pipeline(tmp_path: Path, iris_table: Path) -> None:
    folder = models.write_bundle(tmp_path / "models" / "iris" / "1", models.columns_classifier())
    result = weir("profile", tmp_path / "models", "iris", "1", "--table", iris_table)
    assert result.exit_code == 0
    assert "no feature of iris, left out: species" in result.stderr
    profile = from_json((folder / "reference.json").read_bytes())
    assert profile.rows == 150
    assert [feature.name for feature in profile.features] == ["petal_length", "petal_width", "sepal"]
    assert profile.features[2].cells.categories == ("long", "short")
    assert profile.output.classes == ("setosa", "versicolor", "virginica")
    assert sum(profile.output.class_counts) == 150
    assert weir("models", tmp_path / "models").exit_code == 0


def test_profile_learns_from_a_column_of_labels(tmp_path: Path, iris_table: Path) -> None:
    folder = models.write_bundle(tmp_path / "models" / "iris" / "1", models.columns_classifier())
    names = ("setosa", "versicolor", "virginica")
    lines = iris_table.read_text().splitlines()
    labelled = [f"{line.rpartition(',')[0]},{names[int(line.rpartition(',')[2])]}" for line in lines[1:]]
    iris_table.write_text("\n".join([lines[0], labelled[0].rpartition(",")[0] + ",", *labelled[1:]]))
    result = weir("profile", tmp_path / "models", "iris", "1", "--table", iris_table, "--label", "species")
    assert (result.exit_code, result.stderr) == (0, "")
    performance = from_json((folder / "reference.json").read_bytes()).output.performance
    assert performance is not None
    assert performance.rows == 149
    assert f"149 rows have a label; accuracy on them {performance.accuracy:.4f}" in result.stdout
    assert performance.accuracy > 0.9


@pytest.mark.parametrize(
    ("bundle", "column", "message"),
    [
        pytest.param(models.columns_classifier(), "species", "the labels ['0', '1', '2'] are none of the", id="codes"),
        pytest.param(models.columns_classifier(), "truth", "no column 'truth' for the labels", id="no column"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    tmp_path: Path, iris_table: Path, bundle: bytes, column: str, message: str
) -> None:
    folder = models.write_bundle(tmp_path / "models" / "iris" / "1", bundle)
    result = weir("profile", tmp_path / "models", "iris", "1", "--table", iris_table, "--label", column)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (folder / "reference.json").exists()


def test_profile_tells_the_rows_apart_by_a_feature(tmp_path: Path, iris_table: Path) -> None:
    folder = models.write_bundle(tmp_path / "models" / "iris" / "1", models.columns_classifier())
    result = weir("profile", tmp_path / "models", "iris", "1", "--table", iris_table, "--segment", "sepal")
    assert result.exit_code == 0
    assert "2 segments by sepal, other included" in result.stdout
    segmentation = from_json((folder / "reference.json").read_bytes()).segmentation
    assert segmentation is not None
    assert sum(segment.rows for segment in segmentation.segments) == 150
    refused = weir("profile", tmp_path / "models", "iris", "1", "--table", iris_table, "--segment", "species")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("weir: no feature is called 'species'")


def test_profile_says_how_many_segments_have_evidence(tmp_path: Path, iris_table: Path) -> None:
    models.write_bundle(tmp_path / "models" / "iris" / "1", models.columns_classifier())
    header, *lines = iris_table.read_text().splitlines()
    table = tmp_path / "long.csv"
    table.write_text("\n".join([header, *lines * 34, *lines[:1]]) + "\n")
    result = weir("profile", tmp_path / "models", "iris", "1", "--table", table, "--segment", "sepal")
    assert result.exit_code == 0
    assert "3 segments by sepal, other included, 2 of them with evidence" in result.stdout


def test_labels_of_a_regression_are_refused(tmp_path: Path) -> None:
    models.write_bundle(tmp_path / "m" / "1", models.regressor())
    table = write_csv(tmp_path / "rows.csv", [*(f"x{j}" for j in range(10)), "y"], [[0.1] * 10 + [3]] * 5)
    result = weir("profile", tmp_path, "m", "1", "--table", table, "--label", "y")
    assert result.exit_code == 1
    assert "not for a regression" in result.stderr


def test_profile_fills_what_the_manifest_leaves_to_the_table(tmp_path: Path) -> None:
    columns = [f"c{j}" for j in range(10)]
    features = ", ".join(f"{{name: {name}, missing: impute}}" for name in columns)
    manifest = f"schema_version: 1\ninterface: {{features: [{features}]}}\n"
    folder = models.write_bundle(tmp_path / "m" / "1", models.regressor(), **{"model.yaml": manifest})
    rows: list[list[object]] = [list(row) for row in load_diabetes().data[:99].round(3)]
    rows.append([""] * 10)
    table = write_csv(tmp_path / "rows.csv", columns, rows)
    out = tmp_path / "profile.json"
    assert weir("profile", tmp_path, "m", "1", "--table", table, "--out", out).exit_code == 0
    profile = from_json(out.read_bytes())
    first = profile.features[0]
    assert first.counts[first.cells.missing] == 1
    assert profile.output.value is not None
    assert sum(profile.output.value.counts) == 100
    assert not (folder / "reference.json").exists()


def test_a_profile_is_the_same_bytes_each_time(tmp_path: Path, iris_table: Path) -> None:
    models.write_bundle(tmp_path / "models" / "iris" / "1", models.columns_classifier())
    outs = [tmp_path / "a.json", tmp_path / "b.json"]
    for out in outs:
        assert weir("profile", tmp_path / "models", "iris", "1", "--table", iris_table, "--out", out).exit_code == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize(
    ("model", "version", "message"),
    [
        pytest.param("none", "1", "no model named 'none'", id="unknown model"),
        pytest.param("image", "2", "no version '2'", id="unknown version"),
        pytest.param("image", "1", "a table needs named features", id="tensors"),
        pytest.param("failing", "1", "the model fails on rows 1 to 150", id="model fails"),
        pytest.param("iris", "1", "has no column for ['sepal']", id="column missing"),
    ],
)
def test_profile_says_what_is_wrong(tmp_path: Path, model: str, version: str, message: str) -> None:
    models.write_bundle(tmp_path / "image" / "1", models.image_model())
    manifest = "schema_version: 1\nserving: {max_batch_rows: 200}\n"
    models.write_bundle(tmp_path / "failing" / "1", models.failing_model(), **{"model.yaml": manifest})
    models.write_bundle(tmp_path / "iris" / "1", models.columns_classifier())
    rows = [*[[1, 2, 1]] * 149, [1, 2, 9]]
    table = write_csv(tmp_path / "rows.csv", ["petal_length", "petal_width", "x"], rows)
    result = weir("profile", tmp_path, model, version, "--table", table)
    assert result.exit_code == 1
    assert result.stderr.startswith("weir: ")
    assert message in result.stderr


def test_profile_refuses_a_table_with_more_categories_than_a_profile_holds(tmp_path: Path) -> None:
    categories = ", ".join(f"c{i}" for i in range(5000))
    manifest = (
        "schema_version: 1\ninterface: {features: "
        f"[{{name: petal_length}}, {{name: petal_width}}, {{name: sepal, categories: [{categories}]}}]}}\n"
    )
    models.write_bundle(tmp_path / "iris" / "1", models.columns_classifier(), **{"model.yaml": manifest})
    table = write_csv(tmp_path / "rows.csv", ["petal_length", "petal_width", "sepal"], [[1.0, 2.0, "c1"]])
    result = weir("profile", tmp_path, "iris", "1", "--table", table)
    assert result.exit_code == 1
    assert "at most 4096 cells, found 5000" in result.stderr


def test_profile_names_the_folder_that_is_not_there(tmp_path: Path, iris_table: Path) -> None:
    out = tmp_path / "nodir" / "profile.json"
    result = weir("profile", tmp_path, "iris", "1", "--table", iris_table, "--out", out)
    assert (result.exit_code, result.stderr) == (1, f"weir: the folder {out.parent} does not exist\n")


def test_schema_prints_the_committed_schema() -> None:
    assert weir("schema").stdout == schema_text()
