"""Model cards and bills of materials: whole, escaped, and as those who read them expect."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from gateway.cards.bom import bill_of_materials
from gateway.cards.facts import facts_of
from gateway.cards.markdown import front_matter, markdown_card
from gateway.cards.page import html_card
from gateway.catalog.bundle import Bundle, read_bundle
from gateway.cli import main
from gateway.release.document import GateResult, Holdout, ReleaseReport, encode_report
from tests import models

HOSTILE = '"><script>alert(1)</script> | [x](javascript:alert(1)) ![y](http://z) `\\` \x1b[2J \u202e # --- *b* _i_ <!--'
MANIFEST: dict[str, Any] = {
    "schema_version": 1,
    "identity": {
        "name": "m",
        "description": HOSTILE,
        "owner": {"team": "lending", "contact": HOSTILE},
        "risk_tier": "high",
        "intended_use": "Small loans.",
        "license": "Apache-2.0",
    },
    "interface": {
        "features": [{"name": f"x{n}", "range": {"min": 0}, "unit": "EUR", "description": HOSTILE} for n in range(4)],
        "outputs": [{"name": "label", "semantic": "label"}, {"name": "probabilities", "semantic": "probabilities"}],
        "classes": [0, 1, 2],
    },
    "lineage": {
        "code": {"repo": "lending/loan", "commit": "0f1e2d3c"},
        "data": [{"type": "file", "uri": HOSTILE, "row_count": 150, "time_range": ["2026-01-01", "2026-06-30"]}, {}],
        "hyperparameters": {"C": 1.0, HOSTILE: HOSTILE},
        "random_seeds": {"split": 7},
    },
    "evaluation": {
        "metrics": [{"name": "accuracy", "value": 0.96, "ci": [0.92, 0.98], "slice": HOSTILE}],
        "fairness": [{"name": "disparate impact", "value": 0.91, "slice": "age"}],
    },
}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "pre"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
CARD = "---\nlicense: mit\n---\n# Mine\n\n<b>bold</b>\n"


def bundle_of(folder: Path, manifest: dict[str, Any] | None = MANIFEST, card: str = CARD) -> Bundle:
    files = {"card.md": card} if manifest is None else {"card.md": card, "model.yaml": json.dumps(manifest)}
    models.write_bundle(folder / "m" / "1", models.matrix_classifier(), **files)
    return read_bundle(folder / "m" / "1", model="m", version="1")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(tmp_path_factory.mktemp("models"), None, "")


def report_of(digest: str) -> ReleaseReport:
    return ReleaseReport(
        model="m",
        version="1",
        digest=digest,
        tier="high",
        policy_digest="0" * 64,
        holdout=Holdout(name="holdout.csv", digest="sha256:" + "1" * 64, rows=1_000),
        checked_at="2026-11-27T12:00:00+00:00",
        outcome="fail",
        gates=(GateResult(name="metrics", outcome="fail", detail=HOSTILE),),
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_page_is_made_of_its_own_tags_only_and_follows_no_address(bundle: Bundle) -> None:
    page = html_card(facts_of(bundle, report_of(bundle.digest)))
    parser = _Tags()
    parser.feed(page)
    assert parser.tags == TAGS
    assert parser.attributes == {"lang", "charset", "http-equiv", "content", "name", "scope"}
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_front_matter_is_yaml_that_hubs_know(bundle: Bundle) -> None:
    opening, *lines, closing = front_matter(bundle)
    assert (opening, closing) == ("---", "---")
    told = yaml.safe_load("\n".join(lines))
    assert (told["license"], told["pipeline_tag"], told["library_name"]) == (
        "apache-2.0",
        "tabular-classification",
        "onnx",
    )
    (result,) = told["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "accuracy", "name": "accuracy", "value": 0.96}]


def test_a_license_that_hubs_do_not_know_is_told_by_its_name(tmp_path: Path) -> None:
    manifest = {**MANIFEST, "identity": {"license": 'ours: "all"\n---\nx: 1'}}
    told = yaml.safe_load("\n".join(front_matter(bundle_of(tmp_path, manifest))[1:-1]))
    assert told["license"] == "other"
    assert told["license_name"].startswith('ours: "all"')
    assert "x" not in told


def test_markdown_escapes_what_it_was_told_and_keeps_the_authors_own(bundle: Bundle) -> None:
    card = markdown_card(bundle, facts_of(bundle, report_of(bundle.digest)))
    own, _, notes = card.partition("## Notes of the author")
    assert "<" not in own.replace("\\<", "")
    assert "](" not in own.split("\n---\n")[1].replace("\\]\\(", "")
    assert "\x1b" not in own
    for line in own.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in {3, 4, 6}, line
    assert notes.strip() == "# Mine\n\n<b>bold</b>"
    assert "Checked at 2026" in own.replace("\\", "")


def test_a_bare_version_has_a_card_that_says_what_is_not_declared(bare: Bundle) -> None:
    card = markdown_card(bare, facts_of(bare))
    assert card.count("Nothing is declared.") == 9
    assert bare.digest in card.replace("\\", "")
    assert "Nothing is declared." in html_card(facts_of(bare))


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    folder = Path(__file__).parent / "cyclonedx"
    schemas = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    # The schema refers to the others by their places beside it.
    registry: Registry[Any] = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}", Resource.from_contents(schema)) for name, schema in schemas.items()
    )
    return Draft7Validator(schemas["bom-1.6.SNAPSHOT.schema.json"], registry=registry)


def test_a_bill_of_materials_follows_the_published_schema(
    bundle: Bundle, bare: Bundle, validator: Draft7Validator
) -> None:
    for document in (
        bill_of_materials(bundle, "1.0", report_of(bundle.digest)),
        bill_of_materials(bundle, "1.0"),
        bill_of_materials(bare, "1.0"),
    ):
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(document)))] == []
    broken = bill_of_materials(bundle, "1.0")
    broken["metadata"]["component"]["modelCard"]["invented"] = 1
    assert list(validator.iter_errors(broken))


def test_a_bill_tells_files_data_metrics_and_gates_and_is_the_same_each_time(bundle: Bundle) -> None:
    document = bill_of_materials(bundle, "1.0", report_of(bundle.digest))
    assert document == bill_of_materials(bundle, "1.0", report_of(bundle.digest))
    component = document["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    assert component["hashes"] == [{"alg": "SHA-256", "content": bundle.sha256s["model.onnx"]}]
    card = component["modelCard"]
    assert card["quantitativeAnalysis"]["performanceMetrics"][0]["confidenceInterval"] == {
        "lowerBound": "0.92",
        "upperBound": "0.98",
    }
    assert card["quantitativeAnalysis"]["performanceMetrics"][-1]["value"] == "fail"
    assert card["modelParameters"]["datasets"] == [{"ref": "data-1"}, {"ref": "data-2"}]
    references = [one["bom-ref"] for one in document["components"]]
    assert document["dependencies"] == [{"ref": "model", "dependsOn": references}]
    assert set(references) == {"file-card.md", "file-model.onnx", "data-1", "data-2"}


def weir(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    return end.value.code


def test_the_commands_write_cards_and_bills_and_refuse_a_report_about_other_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of(tmp_path)
    place, report = ("m", "1", "--models", tmp_path), tmp_path / "report.json"
    report.write_bytes(encode_report(report_of(bundle.digest)))
    assert weir("card", *place, "--report", report) == 0
    assert capsys.readouterr().out == markdown_card(bundle, facts_of(bundle, report_of(bundle.digest)))
    assert weir("card", *place, "--format", "html", "--out", tmp_path / "card.html") == 0
    assert (tmp_path / "card.html").read_text() == html_card(facts_of(bundle))
    assert weir("bom", *place) == 0
    assert json.loads(capsys.readouterr().out)["specVersion"] == "1.6"
    report.write_bytes(encode_report(report_of("sha256:" + "2" * 64)))
    for arguments, told in (
        (("card", *place, "--report", report), "is about the digest"),
        (("bom", *place, "--report", tmp_path / "none"), "No such file"),
        (("bom", "m", "7", "--models", tmp_path), "version '7'"),
    ):
        assert weir(*arguments) == 1
        assert told in capsys.readouterr().err
