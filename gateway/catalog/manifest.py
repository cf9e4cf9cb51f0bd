"""The manifest of a version, ``model.yaml``: what it is, what it takes and gives, where it comes from, how to serve it.

Everything but ``schema_version`` is optional; what is left out is inferred from the graph or from the settings. Rules
that a type cannot say stand in the fields' metadata, from where the JSON Schema takes them too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.contract import Dtype, Policy
from gateway.rules import Rule

__all__ = ["Artifact", "FeatureEntry", "GoldenSet", "Interface", "Manifest", "Serving", "TensorEntry"]

Scalar = str | int | float | bool
TensorDtype = Literal[Dtype, "map"]
Provider = Literal["cuda", "tensorrt", "openvino", "cpu"]
_SHA256: Final = {"pattern": r"^[0-9a-f]{64}$"}
_DIGEST: Final = {"pattern": r"^sha256:[0-9a-f]{64}$"}
_POSITIVE: Final = {"exclusiveMinimum": 0}
_THREADS: Final = {"minimum": 1, "maximum": 256}
_NOT_NEGATIVE: Final = {"minimum": 0}
_SHARE: Final = {"minimum": 0, "maximum": 1}
_NAME: Final = {"minLength": 1}
_BATCH_ROWS: Final = {"minimum": 0, "maximum": 2**20}
_RUN_MS: Final = {"minimum": 0, "maximum": 600_000}
_SLICE_MS: Final = {"minimum": 1, "maximum": 600_000}
_OPTIMIZATION: Final = {"minimum": 0, "maximum": 5}
_DEVICE: Final = {"pattern": r"^(CPU|GPU(\.[0-9]{1,2})?|NPU|AUTO)$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who answers for the version."""

    team: str | None = None
    contact: str | None = None
    on_call: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the version is, and what for. ``name`` must be the model's; ``version`` is the trainer's own number.

    ``author`` is the subject, as tokens name it, whose approval of the version does not count.
    """

    name: str | None = None
    version: str | None = None
    created_at: str | None = None
    description: str | None = None
    owner: Owner = Owner()
    author: str | None = None
    risk_tier: Literal["minimal", "limited", "high"] | None = None
    intended_use: str | None = None
    out_of_scope_use: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFacts:
    """What the publisher says of an ONNX artifact."""

    ir_version: int | None = None
    opsets: dict[str, int] = field(default_factory=dict)
    producer: str | None = None
    external_data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file of the bundle; its bytes are checked against ``sha256`` and ``size`` at load."""

    path: str = field(metadata=_NAME)
    sha256: str = field(metadata=_SHA256)
    size: int | None = field(default=None, metadata=_NOT_NEGATIVE)
    role: Literal[
        "model", "preprocessor", "calibrator", "labels", "reference_stats", "golden_set", "model_card", "external_data"
    ] = "model"
    media_type: str | None = None
    onnx: OnnxFacts = OnnxFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRange:
    """Closed range of a number; an absent end is open."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureEntry:
    """One raw feature. What is ``None`` follows from the graph's input and from the documented defaults.

    ``importance`` weighs the feature where alerts order what moved.
    """

    name: str = field(metadata=_NAME)
    dtype: Dtype | None = None
    range: ValueRange = ValueRange()
    categories: tuple[str | int | float, ...] = ()
    nullable: bool = False
    missing: Policy | None = None
    out_of_range: Policy | None = None
    unseen: Policy | None = None
    fill: Scalar | None = None
    description: str | None = None
    unit: str | None = None
    importance: float = field(default=1.0, metadata=_NOT_NEGATIVE)
    pii_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """One graph input or output; ``semantic`` says which output carries what. -1 in ``shape`` is a free axis."""

    name: str = field(metadata=_NAME)
    dtype: TensorDtype | None = None
    shape: tuple[int, ...] | None = None
    semantic: Literal["label", "probabilities", "value", "other"] | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceLimits:
    """What one request may ask of the version."""

    batch_rows: int | None = field(default=None, metadata=_POSITIVE)
    latency_ms: float | None = field(default=None, metadata=_POSITIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """What the client sends and gets."""

    features: tuple[FeatureEntry, ...] = ()
    unknown_features: Literal["reject", "ignore"] | None = None
    rules: tuple[Rule, ...] = ()
    inputs: tuple[TensorEntry, ...] = ()
    outputs: tuple[TensorEntry, ...] = ()
    classes: tuple[str | int, ...] = ()
    key_feature: str | None = None
    decision_thresholds: dict[str, float] = field(default_factory=dict)
    score_semantics: str | None = None
    contract_digest: str | None = field(default=None, metadata=_DIGEST)
    limits: InterfaceLimits = InterfaceLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOrigin:
    """The commit that trained the version."""

    repo: str | None = None
    commit: str | None = None
    dirty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOrigin:
    """One data set that the version was trained on."""

    type: Literal["dvc", "lakefs", "s3-version", "table-snapshot", "file"] | None = None
    uri: str | None = None
    snapshot_id: str | None = None
    digest: str | None = None
    row_count: int | None = field(default=None, metadata=_NOT_NEGATIVE)
    time_range: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Version of the definition of features or labels; ``delay`` is how long labels take to come."""

    definition_version: str | None = None
    registry_uri: str | None = None
    digest: str | None = None
    delay: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """The run in the training system."""

    system: str | None = None
    id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where the version comes from."""

    code: CodeOrigin = CodeOrigin()
    data: tuple[DataOrigin, ...] = ()
    features: Definition = Definition()
    labels: Definition = Definition()
    hyperparameters: dict[str, Scalar | None] = field(default_factory=dict)
    random_seeds: dict[str, int] = field(default_factory=dict)
    training_run: TrainingRun = TrainingRun()
    trainer_image_digest: str | None = None
    runtime_image_digest: str | None = None
    dependency_lock_digest: str | None = None
    hardware: str | None = None
    parent_model_digest: str | None = field(default=None, metadata=_DIGEST)
    retrain_event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of the offline evaluation, with its confidence interval."""

    name: str = field(metadata=_NAME)
    value: float
    ci: tuple[float, float] | None = None
    dataset_digest: str | None = None
    slice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSet:
    """Rows with their expected answers, in a file of the bundle; the version must reproduce them before it serves."""

    path: str = field(metadata=_NAME)
    tolerance: float = field(default=1e-4, metadata=_NOT_NEGATIVE)
    uri: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured before the version was published."""

    metrics: tuple[Metric, ...] = ()
    golden_set: GoldenSet | None = None
    fairness: tuple[Metric, ...] = ()
    robustness: tuple[Metric, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPolicy:
    """What of a request may be kept, of how many requests, for how long."""

    fields: tuple[str, ...] = ()
    sample: float = field(default=0.0, metadata=_SHARE)
    retention: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaOptions:
    """Options of the CUDA provider; ``None`` leaves it to ONNX Runtime."""

    device_id: int | None = field(default=None, metadata=_NOT_NEGATIVE)
    gpu_mem_limit: int | None = field(default=None, metadata=_POSITIVE)
    arena_extend_strategy: Literal["kNextPowerOfTwo", "kSameAsRequested"] | None = None
    cudnn_conv_algo_search: Literal["EXHAUSTIVE", "HEURISTIC", "DEFAULT"] | None = None
    use_tf32: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRtOptions:
    """Options of the TensorRT provider; ``None`` leaves it to ONNX Runtime. None of them writes or reads a file."""

    device_id: int | None = field(default=None, metadata=_NOT_NEGATIVE)
    trt_max_workspace_size: int | None = field(default=None, metadata=_POSITIVE)
    trt_fp16_enable: bool | None = None
    trt_builder_optimization_level: int | None = field(default=None, metadata=_OPTIMIZATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVinoOptions:
    """Options of the OpenVINO provider; ``None`` leaves it to ONNX Runtime."""

    device_type: str | None = field(default=None, metadata=_DEVICE)
    precision: Literal["FP32", "FP16", "ACCURACY"] | None = None
    num_of_threads: int | None = field(default=None, metadata=_THREADS)
    num_streams: int | None = field(default=None, metadata=_THREADS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """Options by execution provider: a closed list, without any that names a file."""

    cuda: CudaOptions = CudaOptions()
    tensorrt: TensorRtOptions = TensorRtOptions()
    openvino: OpenVinoOptions = OpenVinoOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How to run the version; ``None`` leaves it to the settings, and 0 of ``max_batch_rows`` to what is measured."""

    providers: tuple[Provider, ...] = ()
    provider_fallback: Literal["cpu", "refuse"] = "refuse"
    provider_options: ProviderOptions = ProviderOptions()
    threads: int | None = field(default=None, metadata=_THREADS)
    max_batch_rows: int | None = field(default=None, metadata=_BATCH_ROWS)
    batch_latency_ms: float | None = field(default=None, metadata=_RUN_MS)
    canary_slice_ms: float | None = field(default=None, metadata=_SLICE_MS)
    memory_bytes: int | None = field(default=None, metadata=_POSITIVE)
    warmup_rows: int | None = field(default=None, metadata=_POSITIVE)
    rollout_plan: str | None = None
    drift_policy: str | None = None
    fallback: Literal["previous", "constant", "refuse"] | None = None
    log_policy: LogPolicy = LogPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody's consent to the version with this digest."""

    subject: str
    role: str
    digest: str = field(metadata=_DIGEST)
    time: str
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A signed statement about the version, kept elsewhere."""

    predicate_type: str
    uri: str
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """Who agreed, and until when. ``model_card`` is a file of the bundle: ``card.md``, if there is one, by default."""

    approvals: tuple[Approval, ...] = ()
    model_card: str | None = None
    attestations: tuple[Attestation, ...] = ()
    signature_bundle: str | None = None
    expires_at: str | None = None
    review_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole of ``model.yaml``."""

    schema_version: Literal[1]
    identity: Identity = Identity()
    artifacts: tuple[Artifact, ...] = ()
    interface: Interface = Interface()
    lineage: Lineage = Lineage()
    evaluation: Evaluation = Evaluation()
    serving: Serving = Serving()
    governance: Governance = Governance()
