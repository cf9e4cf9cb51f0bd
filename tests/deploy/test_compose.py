"""The composition of containers: its form, what it names, and the commands that can be run here."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import psutil
import pytest
import redis
import yaml

from tests.deploy.ground import IMAGE, STOP_S, instructions, settings_from
from tests.deploy.test_image import environment
from tests.end_to_end.running import free_port

TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
SERVICE = {
    "type": "object",
    "required": ["image", "cap_drop", "security_opt", "networks", "restart"],
    "additionalProperties": False,
    "properties": {
        "build": {"type": "object", "required": ["context", "dockerfile"]},
        "image": {"type": "string", "pattern": f"^{IMAGE.pattern}$"},
        "user": {"type": "string", "pattern": "^[0-9]+:[0-9]+$"},
        "command": TEXTS,
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "secrets": TEXTS,
        "volumes": TEXTS,
        "ports": {**TEXTS, "items": {"type": "string", "pattern": r"^127\.0\.0\.1:[0-9]+:[0-9]+$"}},
        "extra_hosts": TEXTS,
        "networks": TEXTS,
        "depends_on": {"type": ["array", "object"]},
        "healthcheck": {
            "type": "object",
            "required": ["test"],
            "additionalProperties": False,
            "properties": {
                "test": TEXTS,
                "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                "timeout": {"type": "string", "pattern": "^[0-9]+s$"},
                "retries": {"type": "integer"},
            },
        },
        "stop_grace_period": {"type": "string", "pattern": "^[0-9]+s$"},
        "read_only": {"const": True},
        "tmpfs": {"const": ["/tmp"]},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "restart": {"const": "unless-stopped"},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["services"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "networks": {"type": "object"},
        "volumes": {"type": "object"},
        "secrets": {"type": "object", "additionalProperties": {"type": "object", "required": ["file"]}},
    },
}


@pytest.fixture(scope="module")
def home(repo_root: Path) -> Path:
    return repo_root / "deploy/compose"


@pytest.fixture(scope="module")
def composition(home: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((home / "compose.yaml").read_text(encoding="utf-8"))
    return document


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "redis_password"
    file.write_text("quiet-water\n", encoding="utf-8")
    return file


def words(texts: list[str], secret: Path) -> list[str]:
    """Return an argument vector as the container gets it, but with a secret of this host."""
    return [text.replace("$$", "$").replace("/run/secrets/redis_password", str(secret)) for text in texts]


def mounts(composition: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give source and target of each mount."""
    for service in composition["services"].values():
        for volume in service.get("volumes", ()):
            source, _, target = volume.removesuffix(":ro").rpartition(":")
            yield source, target


def test_the_composition_has_the_form_of_one(composition: dict[str, Any]) -> None:
    jsonschema.validate(composition, SCHEMA)


def test_whatever_a_service_names_is_declared(composition: dict[str, Any]) -> None:
    for name, service in composition["services"].items():
        assert set(service.get("secrets", ())) <= composition["secrets"].keys(), name
        assert set(service["networks"]) <= composition["networks"].keys(), name
        assert set(service.get("depends_on", ())) <= composition["services"].keys(), name
        named = [v for v in service.get("environment", {}).values() if v.startswith("/run/secrets/")]
        assert {Path(path).name for path in named} <= set(service.get("secrets", ())), name


def test_every_file_that_is_mounted_is_one_of_the_repository(composition: dict[str, Any], home: Path) -> None:
    sources = [source for source, _ in mounts(composition) if source.startswith(".")]
    assert len(sources) > 5
    assert [source for source in sources if not (home / source).exists()] == []
    volumes = {source for source, _ in mounts(composition) if source[0] not in ".$"}
    assert volumes == composition["volumes"].keys()


def test_the_gateway_gets_settings_that_exist_and_time_to_drain(composition: dict[str, Any], repo_root: Path) -> None:
    gateway = composition["services"]["gateway"]
    image = environment(instructions(repo_root / "deploy/Dockerfile"))
    settings = settings_from(image | gateway["environment"])
    targets = {target for _, target in mounts({"services": {"gateway": gateway}})}
    assert {str(settings.models), str(settings.redis.folder)} == targets
    assert {port.rsplit(":", 1)[1] for port in gateway["ports"]} == {str(settings.port), str(settings.admin_port)}
    assert httpx.URL(settings.state).host in composition["services"]
    assert float(gateway["stop_grace_period"].removesuffix("s")) > STOP_S


@pytest.mark.parametrize(
    ("copy", "original", "addresses"),
    [
        pytest.param(
            "prometheus.yml",
            "deploy/prometheus/prometheus.yml",
            {"127.0.0.1:9093": "alertmanager:9093", "127.0.0.1:8080": "gateway:8081"},
            id="prometheus",
        ),
        pytest.param(
            "datasource.yaml",
            "grafana/provisioning/datasources/prometheus.yaml",
            {"127.0.0.1:9090": "prometheus:9090"},
            id="grafana",
        ),
    ],
)
def test_a_copy_differs_from_the_repositorys_file_in_its_addresses_only(
    home: Path, repo_root: Path, copy: str, original: str, addresses: dict[str, str]
) -> None:
    text = (repo_root / original).read_text(encoding="utf-8")
    for here, there in addresses.items():
        assert here in text
        text = text.replace(here, there)
    assert yaml.safe_load((home / copy).read_text(encoding="utf-8")) == yaml.safe_load(text)


def addresses(home: Path) -> dict[str, list[str]]:
    """Return whom each service asks by name, as ``host:port``."""
    scraping = yaml.safe_load((home / "prometheus.yml").read_text(encoding="utf-8"))
    groups = [group for job in scraping["scrape_configs"] for group in job["static_configs"]]
    groups += [group for told in scraping["alerting"]["alertmanagers"] for group in told["static_configs"]]
    sources = yaml.safe_load((home / "datasource.yaml").read_text(encoding="utf-8"))["datasources"]
    return {
        "prometheus": [target for group in groups for target in group["targets"]],
        "grafana": [source["url"].removeprefix("http://") for source in sources],
    }


def unreachable(composition: dict[str, Any], asked: dict[str, list[str]]) -> list[str]:
    """Return the addresses at which no service of the same network has that port."""
    found = []
    for name, targets in asked.items():
        for target in targets:
            host, _, port = target.partition(":")
            service = composition["services"].get(host, {"networks": [], "ports": []})
            shared = set(service["networks"]) & set(composition["services"][name]["networks"])
            if not shared or port not in {published.rsplit(":", 1)[1] for published in service["ports"]}:
                found.append(f"{name}: {target}")
    return found


def test_services_find_each_other_at_their_ports(composition: dict[str, Any], home: Path) -> None:
    asked = addresses(home)
    assert sum(len(targets) for targets in asked.values()) == 3
    assert unreachable(composition, asked) == []
    published = [p.rsplit(":", 1)[0] for s in composition["services"].values() for p in s.get("ports", ())]
    assert len(set(published)) == len(published)


@pytest.mark.parametrize(
    "wrong", ["gateway:8080", "gateways:8081", "redis:6379"], ids=["port", "name", "of another network"]
)
def test_an_address_that_leads_nowhere_is_found(composition: dict[str, Any], wrong: str) -> None:
    services = {
        **composition["services"],
        "gateway": composition["services"]["gateway"] | {"ports": ["127.0.0.1:1:8081"]},
    }
    services["redis"] = services["redis"] | {"ports": ["127.0.0.1:2:6379"]}
    assert unreachable({"services": services}, {"prometheus": [wrong]}) == [f"prometheus: {wrong}"]


def test_files_are_mounted_where_programs_look_for_them(composition: dict[str, Any], repo_root: Path) -> None:
    targets = {
        name: {target: source for source, target in mounts({"services": {name: service}})}
        for name, service in composition["services"].items()
    }
    for name in ("prometheus", "alertmanager"):
        options = dict(word.split("=", 1) for word in composition["services"][name]["command"])
        assert options["--config.file"] in targets[name]
        kept = options.get("--storage.tsdb.path") or options["--storage.path"]
        assert targets[name][kept] in composition["volumes"]
    scraping = yaml.safe_load((repo_root / "deploy/compose/prometheus.yml").read_text(encoding="utf-8"))
    (rules,) = {f"/etc/prometheus/{Path(pattern).parent}" for pattern in scraping["rule_files"]}
    assert targets["prometheus"][rules] == "../prometheus/rules"
    provisioning = targets["grafana"]["/etc/grafana/provisioning/dashboards"]
    text = (repo_root / "deploy/compose" / provisioning / "weir.yaml").read_text(encoding="utf-8")
    (provider,) = yaml.safe_load(text)["providers"]
    assert targets["grafana"][provider["options"]["path"]] == "../../grafana/dashboards"


def test_redis_takes_its_password_from_the_file_and_shows_it_to_nobody(
    composition: dict[str, Any], secret: Path, tmp_path: Path
) -> None:
    service, port = composition["services"]["redis"], free_port()
    *shell, script = service["command"]
    script = script.replace("dir /data", f"dir {tmp_path}\nport {port}\nbind 127.0.0.1")
    process = subprocess.Popen(words([*shell, script], secret), stdout=subprocess.DEVNULL)
    try:
        kind, health = service["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        (health,) = words([health.replace("redis-cli", f"redis-cli -p {port}")], secret)
        deadline = time.monotonic() + 20
        while subprocess.run(["sh", "-c", health], capture_output=True, check=False).returncode != 0:
            assert process.poll() is None
            assert time.monotonic() < deadline
        command = " ".join(psutil.Process(process.pid).cmdline())
        assert "redis-server" in command
        assert "quiet-water" not in command
        with redis.Redis(port=port, password="quiet-water") as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        process.terminate()
        process.wait(20)
