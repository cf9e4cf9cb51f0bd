"""Settings come from a file and the environment, and are checked."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from gateway.codec.configuration import RANGES, decode_settings, encode_settings, load_settings
from gateway.errors import DocumentInvalid
from gateway.settings import BudgetSettings, MonitorSettings, RoutingSettings, Settings

OIDC = {
    "WEIR_AUTH__OIDC__ISSUER": "https://a.example",
    "WEIR_AUTH__OIDC__AUDIENCE": "weir",
    "WEIR_AUTH__OIDC__ROLES": "{ops: operator}",
}


def test_an_issuer_is_read_from_variables() -> None:
    oidc = load_settings(None, OIDC | {"WEIR_AUTH__OIDC__ALGORITHMS": "[ES256, EdDSA]"}).auth.oidc
    assert (oidc.issuer, oidc.roles, oidc.algorithms) == ("https://a.example", {"ops": "operator"}, ("ES256", "EdDSA"))


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings(None, {}) == Settings()


def test_variables_override_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weir.yaml"
    path.write_text("port: 9000\nworkers: 2\nstate: /srv/state.db\nmonitor: {tick_s: 5, minimum_rows: 50}\n")
    environ = {"WEIR_PORT": "9001", "WEIR_MONITOR__TICK_S": "2", "WEIR_ROUTING__STABLE": '{fraud: "3"}', "HOME": "/"}
    settings = load_settings(path, environ)
    assert (settings.port, settings.workers, settings.state) == (9001, 2, "/srv/state.db")
    assert settings.monitor == MonitorSettings(tick_s=2.0, minimum_rows=50)
    assert settings.routing.stable == {"fraud": "3"}


def test_a_string_setting_keeps_its_text_and_an_empty_one_means_none() -> None:
    environ = {"WEIR_HOST": "1", "WEIR_ROUTING__DEFAULT_MODEL": "7", "WEIR_ADMIN_TOKEN_FILE": ""}
    settings = load_settings(None, environ)
    assert (settings.host, settings.routing.default_model, settings.admin_token_file) == ("1", "7", None)


def test_a_number_that_may_be_absent_is_read_as_a_number() -> None:
    assert load_settings(None, {"WEIR_ADMIN_PORT": "9090"}).admin_port == 9090
    assert load_settings(None, {"WEIR_ADMIN_PORT": ""}).admin_port is None


def test_variables_of_others_are_left_alone() -> None:
    environ = {"WEIR_ADMIN_TOKEN": "secret", "WEIR_URL": "http://x", "WEIR_SERVICE_HOST": "10.0.0.1"}
    assert load_settings(None, environ) == Settings()


def test_settings_travel_as_json() -> None:
    settings = replace(Settings(), admin_token_file=Path("/t"), routing=RoutingSettings(stable={"m": "1"}))
    assert decode_settings(encode_settings(settings)) == settings


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"WEIR_PORT": "70000"}, "/port: expected a number from 0 to 65535, found 70000"),
        ({"WEIR_WORKERS": "0"}, "/workers: expected a number from 1 to 256, found 0"),
        ({"WEIR_WORKERS": "two"}, "/workers: expected an integer, found 'two'"),
        ({"WEIR_ADMIN_PORT": "70000"}, "/admin_port: expected a number from 0 to 65535, found 70000"),
        ({"WEIR_ADMIN_PORT": "nine"}, "/admin_port: expected .* found 'nine'"),
        ({"WEIR_ADMIN_HOST": "::1"}, "/admin_port: expected a port, since admin_host is given"),
        ({"WEIR_TLS_KEY": "weir.key"}, "/tls_cert: expected a file, since tls_key is given"),
        ({"WEIR_LOG_LEVEL": "loud"}, "/log_level: expected one of 'debug', 'info'"),
        ({"WEIR_MONITOR__DETECTORS": "[adwin, os.path]"}, "/monitor/detectors/1: expected names of detectors"),
        ({"WEIR_MONITOR__DETECTORS": "[adwin, adwin]"}, "/monitor/detectors/1: expected names of detectors, each once"),
        ({"WEIR_MONITOR__MODEL_DETECTORS": "{m: [a:b]}"}, "/monitor/model_detectors/m/0: expected names of detectors"),
        ({"WEIR_MONITOR__TICK": "1"}, "WEIR_MONITOR__TICK: .*unknown field 'tick'"),
        ({"WEIR_MONITOR__TICK_S": "0"}, "/monitor/tick_s"),
        ({"WEIR_MONITOR__BUDGET": "1"}, "WEIR_MONITOR__BUDGET: .*unknown field 'budget'"),
        ({"WEIR_MONITOR__BUDGET__PAGES": "1"}, "unknown field 'pages'"),
        ({"WEIR_MONITOR__BUDGET__PAGES_PER_WEEK": "0"}, "/monitor/budget/pages_per_week"),
        ({"WEIR_MONITOR__BUDGET__OVERRIDES": "{fraud: 0}"}, "/monitor/budget/overrides/fraud"),
        ({"WEIR_MONITOR__NO_TRAFFIC_S": "{fraud: 1}"}, "/monitor/no_traffic_s/fraud: expected seconds without a row"),
        ({"WEIR_MONITOR__NO_TRAFFIC_S": "{fraud: .nan}"}, "/monitor/no_traffic_s/fraud"),
        ({"WEIR_MONITOR__NO_TRAFFIC_S": "{fraud: never}"}, "/monitor/no_traffic_s/fraud"),
        ({"WEIR_AUTH__OIDC__AUDIENCE": "weir"}, "/auth/oidc/issuer: expected an issuer, since audience or roles"),
        (
            {"WEIR_AUTH__OIDC__ISSUER": "https://a.example"},
            "/auth/oidc/audience: expected what tokens .*; /auth/oidc/roles",
        ),
        ({**OIDC, "WEIR_AUTH__OIDC__ISSUER": "http://a.example"}, "/auth/oidc/issuer: expected an https:// URL"),
        ({**OIDC, "WEIR_AUTH__OIDC__ISSUER": "https://u:p@a.example"}, "/auth/oidc/issuer: expected an https:// URL"),
        ({**OIDC, "WEIR_AUTH__OIDC__ISSUER": "https://[a"}, "/auth/oidc/issuer: expected an https:// URL"),
        ({**OIDC, "WEIR_AUTH__OIDC__ALGORITHMS": "[HS256]"}, "/auth/oidc/algorithms/0: expected one of 'RS256'"),
        ({**OIDC, "WEIR_AUTH__OIDC__ALGORITHMS": "[none]"}, "/auth/oidc/algorithms/0: expected one of 'RS256'"),
        ({**OIDC, "WEIR_AUTH__OIDC__ALGORITHMS": "[]"}, "/auth/oidc/algorithms: expected something"),
        ({**OIDC, "WEIR_AUTH__OIDC__ROLES": "{ops: root}"}, "/auth/oidc/roles/ops: expected one of 'viewer'"),
        (
            {"WEIR_SERVING__MAX_BATCH_ROWS": "1048577"},
            "/serving/max_batch_rows: expected a number from 0 to 1048576, found 1048577",
        ),
        ({"WEIR_LIMITS__BODY_BYTES": "0"}, "/limits/body_bytes: expected a number from 1 to 1099511627776, found 0"),
        ({"WEIR_WORKERS": "9" * 400}, r"/workers: expected a number from 1 to 256, found 9+\.\.\."),
        (
            {"WEIR_MONITOR__BUDGET__OVERRIDES": "{fraud: 10000.001}"},
            "expected false pages a week from 0.001 to 10000, found 10000.001",
        ),
        ({"WEIR_MONITOR__DRIFT_WARN": "0.5"}, "/monitor/drift_warn: expected at most the page threshold 0.2"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(DocumentInvalid, match=says):
        load_settings(None, environ)


@pytest.mark.parametrize("text", ["[]", "port: 1\nport: 2", "monitor: 3", "prot: 1"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "weir.yaml"
    path.write_text(text)
    with pytest.raises(DocumentInvalid, match=r"weir\.yaml"):
        load_settings(path, {"WEIR_MONITOR__TICK_S": "1"})


def test_a_missing_file_is_said() -> None:
    with pytest.raises(DocumentInvalid, match="No such file"):
        load_settings(Path("/nowhere/weir.yaml"), {})


def test_every_number_has_a_range() -> None:
    monitor = MonitorSettings(budget=BudgetSettings(rows_between_false_pages=1e6))
    settings = replace(Settings(), admin_port=0, grpc_port=0, monitor=monitor)
    assert set(_numbers(settings, "")) == set(RANGES)


def _numbers(section: object, at: str) -> Iterator[str]:
    assert is_dataclass(section)
    for field in fields(section):
        value = getattr(section, field.name)
        if is_dataclass(value):
            yield from _numbers(value, f"{at}{field.name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{at}{field.name}"
