"""The reference profile and the evidence model of a version, from a table of raw rows and the version's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.catalog.bundle import Bundle
from gateway.catalog.manifest import FeatureEntry, Interface
from gateway.codec.decoded import Decoded
from gateway.codec.rows import encode_table
from gateway.commands.reference_hints import hints_of
from gateway.commands.table import Row, Table, TableInvalid, read_table
from gateway.contract import Contract, Feature
from gateway.engine.binding import Hint
from gateway.engine.loading import load_version
from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.errors import VersionRefused
from monitors.cells import MAXIMUM_VALUES
from monitors.evidence.model import LEAST_REFERENCE_ROWS, EvidenceModel
from monitors.evidence.rows import Rows
from monitors.records import OutputSchema
from monitors.reference import ReferenceProfile, build_profile

__all__ = ["Profiled", "answers_of", "profile_bundle"]


@dataclass(frozen=True, slots=True)
class Profiled:
    """A profile, the evidence model beside it, and the columns of the table that did not enter them.

    There is no evidence model where the table is too short to promise anything.
    """

    profile: ReferenceProfile
    evidence: EvidenceModel | None
    ignored: tuple[str, ...]

    @property
    def evidence_segments(self) -> int:
        """How many segments are large enough for evidence of their own."""
        segmented = self.evidence.channels.segmented if self.evidence else None
        return len(segmented.watched) if segmented else 0


def profile_bundle(bundle: Bundle, table: Path, *, label: str | None = None, segment: str | None = None) -> Profiled:
    """Compute the reference profile of a version, and its evidence model from the rows in their order.

    A string feature without declared categories gets those of the table when there are at most 32. A fill that the
    manifest leaves to the profile is the table's median or mode. So the model is loaded twice: once to learn its
    contract, once with what the table says. With a column of labels the profile also holds what performance is
    estimated from. With the name of a feature its values are profiled apart.

    Raises
    ------
    gateway.errors.VersionRefused
        The version does not load, or takes tensors and no named features.
    TableInvalid
        The table cannot be read by the contract, a label is no class of the model, the feature cannot tell
        segments apart, or the model fails on its rows.
    """
    placeholders = _placeholders(bundle.manifest.interface)
    draft = load_version(replace(bundle, golden=None), hints_of=lambda _: placeholders)
    if draft.contract.layout == "tensors":
        raise VersionRefused(bundle.model, bundle.version, "it takes tensors; a table needs named features")
    read = read_table(table, draft.contract, label=label)
    hints = _hints(draft, read.rows)
    version = load_version(bundle, hints_of=lambda _: hints)
    return Profiled(*_profile(version, read, segment), read.ignored)


def _placeholders(interface: Interface) -> dict[str, Hint]:
    return {entry.name: Hint("" if _is_text(entry) else 0.0) for entry in interface.features if entry.fill is None}


def _is_text(entry: FeatureEntry) -> bool:
    return entry.dtype == "string" or (entry.dtype is None and any(isinstance(c, str) for c in entry.categories))


def _hints(draft: ServableVersion, rows: Sequence[Row]) -> dict[str, Hint]:
    """Return the medians, modes and categories of the table itself."""
    features = tuple(_with_categories(feature, rows) for feature in draft.contract.features)
    values_nd = _raw(_encoded(draft, replace(draft.contract, features=features), rows))
    n = len(rows)
    schemas = [feature.schema for feature in features]
    profile = build_profile(schemas, OutputSchema("tensor"), values_nd, np.full(n, -1), np.zeros((n, 0)))
    return hints_of(profile.to_json())


def _with_categories(feature: Feature, rows: Sequence[Row]) -> Feature:
    if feature.dtype != "string" or feature.categories:
        return feature
    found = {row[feature.name] for row in rows} - {None}
    return replace(feature, categories=tuple(sorted(found))) if len(found) <= MAXIMUM_VALUES else feature


def _encoded(version: ServableVersion, contract: Contract, rows: Sequence[Row]) -> Decoded:
    matrix = version.inputs.get(contract.input_name)
    return encode_table(contract, rows, ranks=version.ranks, dtype=matrix.dtype if matrix else "float32")


def _raw(decoded: Decoded) -> npt.NDArray[np.float64]:
    assert decoded.values_nd is not None
    return decoded.values_nd.astype(np.float64)


def _profile(
    version: ServableVersion, table: Table, segment: str | None
) -> tuple[ReferenceProfile, EvidenceModel | None]:
    decoded = _encoded(version, version.contract, table.rows)
    answers = list(answers_of(version, decoded))
    labels_n = np.concatenate([labels for labels, _ in answers])
    scores_nk = np.concatenate([scores for _, scores in answers])
    info, values_nd = version.info, _raw(decoded)
    truths_n = _truths(info.output, table) if table.labels else None
    try:
        profile = build_profile(
            info.features, info.output, values_nd, labels_n, scores_nk, truths_n=truths_n, segment=segment
        )
    except ValueError as exc:
        raise TableInvalid(f"{exc}") from exc
    if len(values_nd) < LEAST_REFERENCE_ROWS:
        return profile, None
    rows = Rows(values_nd, scores_nk, labels_n)
    return profile, EvidenceModel.fit(rows, info.features, info.output, segment=segment)


def _truths(output: OutputSchema, table: Table) -> npt.NDArray[np.int64]:
    """Return the true class of each row, -1 where the table has none."""
    if output.kind != "classification":
        raise TableInvalid(f"labels are of use to a model that answers with classes, not for a {output.kind}")
    codes = {"": -1, **{name: i for i, name in enumerate(output.classes)}}
    strange = sorted({label for label in table.labels if _class_name(label, codes) not in codes})
    if strange:
        raise TableInvalid(f"the labels {strange[:5]} are none of the model's classes {list(output.classes)[:20]}")
    return np.array([codes[_class_name(label, codes)] for label in table.labels], dtype=np.int64)


def _class_name(label: str, codes: Mapping[str, int]) -> str:
    """Return the label as a class is called; a table that passed through a float column has 1.0 for class 1."""
    whole = label.removesuffix(".0")
    return whole if label not in codes and whole in codes else label


def answers_of(version: ServableVersion, decoded: Decoded) -> Any:
    """Give label codes and scores, a batch at a time.

    Raises
    ------
    TableInvalid
        The model fails on a batch.
    """
    size = version.max_batch_rows or 1
    for start in range(0, decoded.n, size):
        stop = min(start + size, decoded.n)
        feeds = {name: values[start:stop] for name, values in decoded.feeds.items()}
        try:
            outputs = version.run(feeds, stop - start)
        except RunFailed as exc:
            raise TableInvalid(f"the model fails on rows {start + 1} to {stop}: {exc}") from exc
        scores_nk = np.zeros((stop - start, 0)) if outputs.scores_nk is None else outputs.scores_nk
        yield version.reader.label_codes(outputs, stop - start), scores_nk.astype(np.float64)
