"""``model.yaml`` from bytes to a checked manifest, and from there to the form that goes into the digest."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from gateway.catalog.manifest import Manifest
from gateway.codec.documents import decode_yaml_document
from gateway.codec.sparse import sparse_form
from gateway.codec.strict import exact
from gateway.errors import DocumentInvalid, Fault

__all__ = ["canonical_form", "read_manifest"]


def read_manifest(data: bytes, *, model: str, source: str) -> Manifest:
    """Read ``model.yaml``.

    Parameters
    ----------
    data
        UTF-8 YAML.
    model
        Name of the model whose folder it lies in.
    source
        What to call it in errors.

    Raises
    ------
    DocumentInvalid
        Naming every fault: an unknown or doubled field, a wrong type, a broken rule, a name used twice.
    """
    manifest = decode_yaml_document(data, Manifest, source=source)
    faults = [*_broken_rules(manifest, ""), *_conflicts(manifest, model)]
    if faults:
        raise DocumentInvalid(source, faults)
    return manifest


def canonical_form(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest as plain values, without what says nothing about the version itself.

    Left out are members that hold their default, so that a later Weir with more optional members computes the same
    digest, and approvals, attestations and the signature bundle, which are statements about the digest.
    """
    governance = replace(manifest.governance, approvals=(), attestations=(), signature_bundle=None)
    plain: dict[str, Any] = sparse_form(replace(manifest, governance=governance))
    return plain


def _broken_rules(value: object, at: str) -> Iterator[Fault]:
    if isinstance(value, float) and not math.isfinite(value):
        yield Fault(at, "value", "a finite number", repr(value))
    elif is_dataclass(value):
        for declared in fields(value):
            member, here = getattr(value, declared.name), f"{at}/{declared.name}"
            if member is not None and (expected := _expected(member, declared.metadata)):
                yield Fault(here, "value", expected, repr(member))
            yield from _broken_rules(member, here)
    elif isinstance(value, tuple | dict):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _broken_rules(item, f"{at}/{key}")


def _expected(value: Any, rules: Mapping[str, Any]) -> str | None:
    """Return what was expected of a value that breaks one of its field's rules."""
    if "pattern" in rules and not re.search(rules["pattern"], value):
        return f"text that matches {rules['pattern']}"
    if "minLength" in rules and len(value) < rules["minLength"]:
        return "text that is not empty"
    if "exclusiveMinimum" in rules and not value > rules["exclusiveMinimum"]:
        return f"more than {rules['exclusiveMinimum']}"
    if "minimum" in rules and value < rules["minimum"]:
        return f"at least {rules['minimum']}"
    if "maximum" in rules and value > rules["maximum"]:
        return f"at most {rules['maximum']}"
    return None


def _conflicts(manifest: Manifest, model: str) -> Iterator[Fault]:
    face = manifest.interface
    if manifest.identity.name not in (None, model):
        yield Fault("/identity/name", "value", f"{model!r}, the name of its folder", repr(manifest.identity.name))
    yield from _doubles("/artifacts", "path", [artifact.path for artifact in manifest.artifacts])
    yield from _doubles("/interface/features", "name", [feature.name for feature in face.features])
    yield from _doubles("/interface/rules", "name", [rule.name for rule in face.rules])
    yield from _doubles("/interface/inputs", "name", [tensor.name for tensor in face.inputs])
    yield from _doubles("/interface/outputs", "name", [tensor.name for tensor in face.outputs])
    for i, feature in enumerate(face.features):
        low, high = feature.range.min, feature.range.max
        if low is not None and high is not None and low > high:
            yield Fault(f"/interface/features/{i}/range", "value", "min at most max", f"{exact(low)} to {exact(high)}")
    if face.key_feature and face.features and face.key_feature not in {f.name for f in face.features}:
        yield Fault("/interface/key_feature", "value", "the name of a feature", repr(face.key_feature))


def _doubles(at: str, member: str, names: Iterable[str]) -> Iterator[Fault]:
    counts: Counter[str] = Counter()
    for i, name in enumerate(names):
        counts[name] += 1
        if counts[name] > 1:
            yield Fault(f"{at}/{i}/{member}", "value", "a name used once", repr(name))
