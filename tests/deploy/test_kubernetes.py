"""The overlays of Kubernetes, rendered by kubectl: their schemas, what they name, what the gateway needs of them."""

from __future__ import annotations

import shutil
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.kubernetes.prometheus_rule import prometheus_rule
from gateway.settings import Settings
from tests.deploy.custom_resources import validate
from tests.deploy.ground import IMAGE, STOP_S, instructions, settings_from
from tests.deploy.test_image import environment
from tests.integration.expressions import exposed_names, metric_names

HOME = Path(__file__).resolve().parents[2] / "deploy/kubernetes"
OVERLAYS = ["base", "watched", "overlays/trial", "overlays/production", "overlays/keda"]
VERSIONS = ["1.25", "1.37"]
# What kustomize 2.0, which kubectl 1.14 to 1.20 contain, reads and later ones still do.
KUSTOMIZE = {"resources", "bases", "configMapGenerator", "patchesStrategicMerge"}


@cache
def rendered(overlay: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the documents of an overlay by kind and name."""
    executable = shutil.which("kubectl")
    assert executable, "install the Debian package kubernetes-client: scripts/system-packages kubectl"
    done = subprocess.run([executable, "kustomize", HOME / overlay], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(done.stdout)}


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """Give what the base says of a gateway's pod."""
    spec: dict[str, Any] = rendered("base")["Deployment", "weir"]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_kustomization_has_only_fields_that_old_and_new_kubectl_read(overlay: str) -> None:
    document = yaml.safe_load((HOME / overlay / "kustomization.yaml").read_text(encoding="utf-8"))
    assert document.keys() <= KUSTOMIZE


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_document_fits_the_schema_of_its_kind(overlay: str, version: str) -> None:
    for document in rendered(overlay).values():
        validate(document, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "path", "wrong"),
    [
        pytest.param("Deployment", ("spec", "replica"), 3, id="a member that there is not"),
        pytest.param("Service", ("spec", "ports", 0, "port"), "http", id="a name for a number"),
        pytest.param("PrometheusRule", ("spec", "groups", 0, "rules", 0, "keep_firing"), "1m", id="a rule's member"),
        pytest.param("PrometheusRule", ("spec", "groups", 0, "rules", 0, "for"), "soon", id="no duration"),
        pytest.param("ServiceMonitor", ("spec", "endpoints", 0, "scrape_timeout"), "3s", id="a member of Prometheus"),
        pytest.param("ScaledObject", ("spec", "minReplicas"), 3, id="a member of the autoscaler"),
        pytest.param("ScaledObject", ("spec", "triggers", 0, "metadata", "threshold"), 16, id="a number for text"),
        pytest.param("ScaledObject", ("spec", "triggers", 0, "metadata", "treshold"), "16", id="a misspelt member"),
        pytest.param("ScaledObject", ("spec", "triggers", 0, "type"), "promethus", id="a misspelt trigger"),
        pytest.param(
            "ScaledObject",
            ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "stabilisationWindow"),
            600,
            id="a misspelt member of what is handed on",
        ),
        pytest.param("ScaledObject", ("apiVersion",), "keda.sh/v1", id="a version that there is not"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(
    kind: str, path: tuple[str | int, ...], wrong: Any, version: str
) -> None:
    document = deepcopy(rendered("overlays/keda")[kind, "weir"])
    *way, last = path
    place: Any = document
    for step in way:
        place = place[step]
    place[last] = wrong
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        validate(document, version)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_finds_something(overlay: str) -> None:
    documents = rendered(overlay).values()
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in documents if "template" in d.get("spec", {})]
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is None:
            continue
        wanted = selector.get("matchLabels", selector).items()
        services = [d["metadata"]["labels"] for d in documents if d["kind"] == "Service"]
        candidates = services if document["kind"] == "ServiceMonitor" else pods
        assert any(wanted <= labels.items() for labels in candidates), document["metadata"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_confined_and_its_image_has_a_version(overlay: str) -> None:
    for document in rendered(overlay).values():
        if document["kind"] not in ("Deployment", "StatefulSet"):
            continue
        spec = document["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert IMAGE.fullmatch(container["image"])
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_the_gateway_gets_settings_that_exist_in_folders_that_are_mounted(pod: dict[str, Any], repo_root: Path) -> None:
    (container,) = pod["containers"]
    (given,) = (d["data"] for (kind, _), d in rendered("base").items() if kind == "ConfigMap")
    settings = settings_from(environment(instructions(repo_root / "deploy/Dockerfile")) | given)
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    token, password = settings.admin_token_file, settings.redis.password_file
    assert token is not None
    assert password is not None
    assert {str(settings.models), str(settings.redis.folder), str(token.parent), str(password.parent)} <= mounts
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert [port["containerPort"] for port in container["ports"]] == [settings.port, settings.admin_port]
    assert ("Service", httpx.URL(settings.state).host) in rendered("overlays/trial")
    # A service named weir would otherwise set WEIR_PORT.
    assert pod["enableServiceLinks"] is False


def test_a_pod_goes_on_accepting_for_a_while_and_then_has_time_to_drain(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert pod["terminationGracePeriodSeconds"] > float(seconds) + STOP_S


def test_the_probes_are_those_of_the_gateway_and_wait_for_the_slowest_load(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {"startupProbe": "/startupz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > Settings().serving.load_s


@pytest.mark.parametrize("overlay", ["overlays/trial", "overlays/production", "overlays/keda"])
def test_one_autoscaler_drives_the_gateways_and_leaves_more_than_the_budget_of_disruptions(overlay: str) -> None:
    documents = rendered(overlay)
    scalers = [d["spec"] for (kind, _), d in documents.items() if kind in ("HorizontalPodAutoscaler", "ScaledObject")]
    assert [spec["scaleTargetRef"]["name"] for spec in scalers] == ["weir"]
    assert "replicas" not in documents["Deployment", "weir"]["spec"], "each apply would set it back"
    budget = documents["PodDisruptionBudget", "weir"]["spec"]
    assert budget.get("maxUnavailable") == 1


def test_keda_reads_what_the_gateway_exposes_and_takes_no_fault_of_prometheus_for_calm() -> None:
    spec = rendered("overlays/keda")["ScaledObject", "weir"]["spec"]
    (asked,) = [trigger for trigger in spec["triggers"] if trigger["type"] == "prometheus"]
    assert metric_names(asked["metadata"]["query"]) <= exposed_names().keys()
    assert asked["metadata"]["ignoreNullValues"] == "false"
    # KEDA applies a fallback to triggers of this type only.
    assert asked["metricType"] == "AverageValue"
    assert spec["minReplicaCount"] < spec["fallback"]["replicas"] <= spec["maxReplicaCount"]


def test_the_rules_of_the_cluster_are_those_of_the_repository() -> None:
    assert rendered("overlays/production")["PrometheusRule", "weir"] == prometheus_rule()
    text = (HOME / "watched/prometheus-rule.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == prometheus_rule()
