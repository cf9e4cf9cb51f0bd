"""Bundles: what is read, what the digest covers, and the attacks that a folder may try."""

import hashlib
import os
from pathlib import Path

import pytest

from gateway.catalog.bundle import Bundle, BundleLimits, read_bundle
from gateway.errors import DocumentInvalid, VersionRefused
from tests import models

MANIFEST = "schema_version: 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return models.write_bundle(tmp_path / "iris" / "1", models.zipmap_classifier())


def read(folder: Path, limits: BundleLimits | None = None) -> Bundle:
    return read_bundle(folder, model="iris", version="1", limits=limits or BundleLimits())


def refusal(folder: Path, limits: BundleLimits | None = None) -> str:
    with pytest.raises(VersionRefused) as caught:
        read(folder, limits)
    assert (caught.value.model, caught.value.version) == ("iris", "1")
    return caught.value.why


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_bare_folder_is_a_bundle_of_defaults(folder: Path) -> None:
    bundle = read(folder)
    assert bundle.is_bare
    assert bundle.manifest.schema_version == 1
    assert bundle.graph.data == models.zipmap_classifier()
    assert (bundle.features_graph, bundle.reference, bundle.card, bundle.golden) == (None, b"", "", None)
    assert bundle.sha256s == {"model.onnx": sha256(models.zipmap_classifier())}


def test_the_digest_is_the_hash_of_canonical_json(folder: Path) -> None:
    canonical = (
        f'{{"artifacts":{{"model.onnx":"{sha256(models.zipmap_classifier())}"}},"manifest":{{"schema_version":1}}}}'
    )
    assert read(folder).digest == "sha256:" + sha256(canonical.encode())


def test_a_full_folder_is_read_whole(folder: Path) -> None:
    manifest = MANIFEST + "evaluation: {golden_set: {path: golden/rows.json}}\n"
    files: dict[str, bytes | str] = {
        "model.yaml": manifest,
        "reference.json": "{}",
        "card.md": "# Iris",
        "features.onnx": models.multi_output(),
        "golden/rows.json": "[]",
    }
    (folder / "golden").mkdir()
    bundle = read(models.write_bundle(folder, models.zipmap_classifier(), **files))
    assert not bundle.is_bare
    assert bundle.features_graph is not None
    assert (bundle.reference, bundle.card, bundle.golden) == (b"{}", "# Iris", b"[]")
    assert sorted(bundle.sha256s) == ["card.md", "features.onnx", "golden/rows.json", "model.onnx", "reference.json"]


def test_an_empty_manifest_has_the_digest_of_none(folder: Path) -> None:
    bare = read(folder).digest
    (folder / "model.yaml").write_text(MANIFEST)
    assert read(folder).digest == bare


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("model.yaml", MANIFEST + "serving: {threads: 2}\n", id="manifest"),
        pytest.param("reference.json", "{}", id="reference"),
        pytest.param("card.md", "x", id="card"),
        pytest.param("features.onnx", models.multi_output(), id="features"),
        pytest.param("model.onnx", models.regressor(), id="model"),
    ],
)
def test_what_changes_the_version_changes_the_digest(folder: Path, name: str, content: str | bytes) -> None:
    before = read(folder).digest
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert read(folder).digest != before


def test_external_data_counts_for_the_digest(folder: Path) -> None:
    models.write_bundle(folder, models.external_data_model(), **{"weights.bin": models.external_weights()})
    before = read(folder)
    assert before.graph.external == {"weights.bin": models.external_weights()}
    (folder / "weights.bin").write_bytes(models.external_weights()[::-1])
    assert read(folder).digest != before.digest


def test_approvals_and_stray_files_do_not_change_the_digest(folder: Path) -> None:
    before = read(folder).digest
    approval = "{subject: a, role: b, time: t, digest: '" + before + "'}"
    (folder / "model.yaml").write_text(MANIFEST + f"governance: {{approvals: [{approval}]}}\n")
    (folder / "config.pbtxt").write_text("platform: onnxruntime_onnx")
    assert read(folder).digest == before


def test_external_data_may_lie_in_a_folder_of_the_bundle(folder: Path) -> None:
    (folder / "w").mkdir()
    models.write_bundle(folder, models.external_data_model("./w/a"), **{"w/a": models.external_weights()})
    bundle = read(folder)
    assert list(bundle.graph.external) == ["./w/a"]
    assert "w/a" in bundle.sha256s


@pytest.mark.parametrize(
    "location", ["../weights.bin", "w/../../weights.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", "a\\b", "a\nb", "."]
)
def test_external_data_outside_the_folder_is_refused(folder: Path, location: str) -> None:
    (folder.parent / "weights.bin").write_bytes(models.external_weights())
    models.write_bundle(folder, models.external_data_model(location))
    assert repr(location) in refusal(folder)


def test_missing_external_data_is_refused(folder: Path) -> None:
    models.write_bundle(folder, models.external_data_model())
    assert refusal(folder) == "weights.bin is missing"


@pytest.mark.parametrize("name", ["model.onnx", "model.yaml", "reference.json", "card.md", "features.onnx"])
def test_a_symbolic_link_is_refused(folder: Path, name: str) -> None:
    outside = folder.parent / "outside"
    outside.write_bytes(models.zipmap_classifier())
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    assert f"{name} is a link" in refusal(folder)


def test_external_data_behind_a_linked_folder_is_refused(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "w.bin").write_bytes(models.external_weights())
    (folder / "inside").symlink_to(outside)
    models.write_bundle(folder, models.external_data_model("inside/w.bin"))
    assert "inside/w.bin is a link, lies behind one" in refusal(folder)


def test_a_linked_version_folder_is_refused(folder: Path) -> None:
    link = folder.parent / "2"
    link.symlink_to(folder)
    assert "links are not followed" in refusal(link)


def test_a_pipe_in_place_of_a_file_does_not_hang(folder: Path) -> None:
    os.mkfifo(folder / "card.md")
    assert refusal(folder) == "card.md is not a regular file"


def test_a_folder_in_place_of_the_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1" / "model.onnx").mkdir(parents=True)
    assert refusal(tmp_path / "1") == "model.onnx is not a regular file"


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "model.onnx is missing"


def test_external_data_is_limited_in_sum_over_both_graphs(folder: Path) -> None:
    files = {"features.onnx": models.external_data_model("other.bin"), "other.bin": models.external_weights()}
    models.write_bundle(folder, models.external_data_model(), **files, **{"weights.bin": models.external_weights()})
    assert read(folder, BundleLimits(external_data_bytes=64)).features_graph is not None
    assert refusal(folder, BundleLimits(external_data_bytes=63)) == "other.bin has 32 bytes; the limit is 31"


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        pytest.param("model.onnx", BundleLimits(graph_bytes=10), id="graph"),
        pytest.param("card.md", BundleLimits(document_bytes=10), id="card"),
        pytest.param("model.yaml", BundleLimits(manifest_bytes=10), id="manifest"),
    ],
)
def test_an_oversized_file_is_refused(folder: Path, name: str, limits: BundleLimits) -> None:
    models.write_bundle(folder, models.zipmap_classifier(), **{"card.md": "x" * 11, "model.yaml": MANIFEST})
    assert refusal(folder, limits).endswith("the limit is 10")
    assert refusal(folder, limits).startswith(name)


def test_a_declared_artifact_must_have_its_hash_and_size(folder: Path) -> None:
    model = models.zipmap_classifier()
    entry = f"{{path: model.onnx, sha256: {sha256(model)}, size: {len(model)}}}"
    (folder / "model.yaml").write_text(MANIFEST + f"artifacts: [{entry}]\n")
    assert read(folder).graph.data == model
    (folder / "model.onnx").write_bytes(models.regressor())
    assert refusal(folder) == f"model.onnx has {len(models.regressor())} bytes; the manifest says {len(model)}"
    (folder / "model.yaml").write_text(MANIFEST + f"artifacts: [{{path: model.onnx, sha256: {sha256(model)}}}]\n")
    assert refusal(folder) == f"model.onnx has sha256 {sha256(models.regressor())}; the manifest says {sha256(model)}"


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "missing.bin"])
def test_a_declared_artifact_must_be_in_the_folder(folder: Path, path: str) -> None:
    (folder / "model.yaml").write_text(MANIFEST + f"artifacts: [{{path: {path}, sha256: '{'0' * 64}'}}]\n")
    assert path in refusal(folder)


def test_a_golden_set_that_is_not_there_is_refused(folder: Path) -> None:
    (folder / "model.yaml").write_text(MANIFEST + "evaluation: {golden_set: {path: golden.json}}\n")
    assert refusal(folder) == "golden.json is missing"


def test_a_card_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "card.md").write_bytes(b"\xff\xfe\x00")
    assert refusal(folder) == "card.md is not UTF-8 text"


@pytest.mark.parametrize("content", [b"garbage", models.custom_domain_model()], ids=["garbage", "custom operator"])
def test_a_graph_that_may_not_be_loaded_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.onnx").write_bytes(content)
    assert refusal(folder).startswith("model.onnx ")


def test_a_manifest_that_breaks_its_schema_names_the_file_and_the_place(folder: Path) -> None:
    (folder / "model.yaml").write_text(MANIFEST + "serving: {thread: 2}\n")
    with pytest.raises(DocumentInvalid) as caught:
        read(folder)
    assert caught.value.source == "iris/1/model.yaml"
    assert [fault.pointer for fault in caught.value.faults] == ["/serving/thread"]
