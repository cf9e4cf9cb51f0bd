"""The bundle of a version: every file read once into memory, checked, and named by one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.catalog.files import FileRefused, FolderReader, relative_parts
from gateway.catalog.manifest import Manifest
from gateway.catalog.manifest_reader import canonical_form, read_manifest
from gateway.codec.canonical import canonical_json
from gateway.engine.graph import GraphInvalid, inspect_graph
from gateway.engine.lean_graph import Buffer, lean_graph
from gateway.errors import VersionRefused
from gateway.signing.folder import SignedFolder, open_signed
from gateway.signing.statement import SIGNATURE_FILE, SignatureInvalid
from gateway.signing.trust import NOBODY, Trust
from gateway.types import GraphInfo

__all__ = ["Bundle", "BundleLimits", "GraphFile", "read_bundle", "read_card"]

SHOWN_CARD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLimits:
    """How many bytes the files of one version may have.

    ``graph_bytes`` is for each ONNX file (2 GiB is all that protobuf can hold), ``external_data_bytes`` for a version's
    external data together, ``profile_bytes`` for ``reference.json`` and ``evidence.json`` each, which travel to the
    watch together in one frame of 16 MiB, ``document_bytes`` for each other file.
    """

    graph_bytes: int = 2 * 1024**3
    external_data_bytes: int = 8 * 1024**3
    profile_bytes: int = 7 * 1024**2
    document_bytes: int = 64 * 1024**2
    manifest_bytes: int = 1024**2


@dataclass(frozen=True, slots=True)
class GraphFile:
    """An ONNX file and the files that it keeps tensors in, keyed by the name as the graph spells it.

    Large weights of the file itself are taken out of ``data`` and found, as external data, in the file under its name.
    """

    data: bytes = field(repr=False)
    external: Mapping[str, Buffer] = field(repr=False)
    info: GraphInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A version, whole and in memory: sessions are built from these bytes and no file is opened again.

    Parameters
    ----------
    digest
        ``sha256:`` and the SHA-256 of the canonical JSON of the manifest's canonical form and the artifacts' hashes.
        Artifacts are ``model.onnx``, ``features.onnx``, ``reference.json``, ``evidence.json``, the model card, the
        golden rows, all external data, and every file that the manifest declares. So whatever changes an answer or a
        judgement about the version changes the digest; approvals, attestations and signatures do not.
    manifest
        All defaults where there is no ``model.yaml``.
    features_graph
        ``features.onnx``, run before ``graph``.
    reference
        Text of ``reference.json``; empty where there is none.
    evidence
        Text of ``evidence.json``, the table that the watch counts evidence with; empty where there is none.
    golden
        The file that ``evaluation.golden_set.path`` names.
    is_bare
        There is no ``model.yaml``.
    sha256s
        Hash of each artifact by its path in the folder.
    signed_by
        The key whose signature over all files of the folder held; empty where there is none, or no key is trusted.
    """

    model: str
    version: str
    digest: str
    manifest: Manifest
    graph: GraphFile
    features_graph: GraphFile | None
    reference: bytes = field(repr=False)
    evidence: bytes = field(repr=False)
    card: str = field(repr=False)
    golden: bytes | None = field(repr=False)
    is_bare: bool
    sha256s: Mapping[str, str]
    signed_by: str = ""


def read_bundle(
    folder: Path, *, model: str, version: str, limits: BundleLimits = BundleLimits(), trust: Trust = NOBODY
) -> Bundle:
    """Read and check the folder of a version.

    Parameters
    ----------
    trust
        Where it has keys and there is a signature, no byte of a file is parsed that differs from what was signed.

    Raises
    ------
    VersionRefused
        A file is missing, a link, outside the folder, too big, not what the manifest says, or not an ONNX graph that
        may be loaded here. The signature does not hold, or there is none and the policy demands one.
    DocumentInvalid
        ``model.yaml`` breaks its schema.

    Notes
    -----
    Blocks for as long as reading and hashing all files takes. The folder's own path is trusted, its content is not.
    """
    with _opened(folder, model, version, limits, trust) as reading:
        return reading.bundle(model, version)


def read_card(
    folder: Path, *, model: str, version: str, limits: BundleLimits = BundleLimits(), trust: Trust = NOBODY
) -> str:
    """Read the model card of a version and, of its other files, only the manifest; empty where there is no card.

    Raises
    ------
    VersionRefused, DocumentInvalid
        As :func:`read_bundle`, for these two files.
    """
    limits = replace(limits, document_bytes=SHOWN_CARD_BYTES)
    with _opened(folder, model, version, limits, trust) as reading:
        return reading.card(model, version)


@contextmanager
def _opened(folder: Path, model: str, version: str, limits: BundleLimits, trust: Trust) -> Iterator[_Reading]:
    try:
        with FolderReader(folder) as files:
            signed = open_signed(files, trust.keys)
            yield _Reading(files if signed is None else signed, limits, trust)
    except (FileRefused, GraphInvalid) as exc:
        raise VersionRefused(model, version, str(exc)) from exc
    except SignatureInvalid as exc:
        raise VersionRefused(model, version, f"its {SIGNATURE_FILE} does not hold: {exc}") from exc


class _Reading:
    """One pass over a folder: remembers contents and hashes, so that no file is opened twice."""

    def __init__(self, files: FolderReader | SignedFolder, limits: BundleLimits, trust: Trust) -> None:
        self._files = files
        self._limits = limits
        self._trust = trust
        self._contents: dict[str, memoryview] = {}
        self._sha256s: dict[str, str] = {}
        self._external_left = limits.external_data_bytes

    def bundle(self, model: str, version: str) -> Bundle:
        declared = self._manifest(model, version)
        manifest = declared or Manifest(schema_version=1)
        self._require_signature(model, manifest)
        graph = self._graph("model.onnx")
        has_features = self._optional("features.onnx", self._limits.graph_bytes) is not None
        features_graph = self._graph("features.onnx") if has_features else None
        reference = bytes(self._optional("reference.json", self._limits.profile_bytes) or b"")
        evidence = bytes(self._optional("evidence.json", self._limits.profile_bytes) or b"")
        card = self._card(manifest.governance.model_card)
        golden_set = manifest.evaluation.golden_set
        golden = None if golden_set is None else bytes(self._required(golden_set.path, self._limits.document_bytes))
        self._check_artifacts(manifest)
        if isinstance(self._files, SignedFolder):
            self._files.check_rest()
        return Bundle(
            model=model,
            version=version,
            digest=_digest(manifest, self._sha256s),
            manifest=manifest,
            graph=graph,
            features_graph=features_graph,
            reference=reference,
            evidence=evidence,
            card=card,
            golden=golden,
            is_bare=declared is None,
            sha256s=self._sha256s,
            signed_by=self._files.signed_by if isinstance(self._files, SignedFolder) else "",
        )

    def card(self, model: str, version: str) -> str:
        declared = self._manifest(model, version)
        return self._card(declared.governance.model_card if declared else None)

    def _manifest(self, model: str, version: str) -> Manifest | None:
        text = self._files.read_if_present("model.yaml", limit=self._limits.manifest_bytes)
        source = f"{model}/{version}/model.yaml"
        return None if text is None else read_manifest(bytes(text), model=model, source=source)

    def _require_signature(self, model: str, manifest: Manifest) -> None:
        rule, tier = self._trust.of_unsigned(model, manifest.identity.risk_tier)
        if rule == "refuse" and not isinstance(self._files, SignedFolder):
            raise FileRefused(
                f"no trusted key has signed it, and the policy demands that of the tier {tier}: sign it with "
                "weir bundle sign, and name the public key in signing.public_keys"
            )

    def _required(self, name: str, limit: int) -> memoryview:
        content = self._optional(name, limit)
        if content is None:
            raise FileRefused(f"{name} is missing")
        return content

    def _optional(self, name: str, limit: int) -> memoryview | None:
        key = _key(name)
        if key not in self._contents:
            content = self._files.read_if_present(name, limit=limit)
            if content is None:
                return None
            self._contents[key] = content
            self._sha256s[key] = self._files.sha256(name, content)
        return self._contents[key]

    def _graph(self, name: str) -> GraphFile:
        data = lean_graph(self._required(name, self._limits.graph_bytes), source=name)
        info = inspect_graph(data, source=name)
        return GraphFile(data, {location: self._external(location) for location in info.external_files}, info)

    def _external(self, location: str) -> memoryview:
        known = len(self._contents)
        content = self._required(location, self._external_left)
        if len(self._contents) > known:
            self._external_left -= len(content)
        return content

    def _card(self, named: str | None) -> str:
        if named is None:
            content = self._optional("card.md", self._limits.document_bytes) or memoryview(b"")
        else:
            content = self._required(named, self._limits.document_bytes)
        try:
            return bytes(content).decode()
        except UnicodeDecodeError as exc:
            raise FileRefused(f"{named or 'card.md'} is not UTF-8 text") from exc

    def _check_artifacts(self, manifest: Manifest) -> None:
        for artifact in manifest.artifacts:
            content = self._required(artifact.path, self._limits.document_bytes)
            if artifact.size not in (None, len(content)):
                raise FileRefused(f"{artifact.path} has {len(content)} bytes; the manifest says {artifact.size}")
            found = self._sha256s[_key(artifact.path)]
            if found != artifact.sha256:
                raise FileRefused(f"{artifact.path} has sha256 {found}; the manifest says {artifact.sha256}")


def _key(name: str) -> str:
    return "/".join(relative_parts(name))


def _digest(manifest: Manifest, sha256s: Mapping[str, str]) -> str:
    canonical = canonical_json({"artifacts": sha256s, "manifest": canonical_form(manifest)})
    return "sha256:" + hashlib.sha256(canonical).hexdigest()
