"""``weir serve``: settings from file, environment and flags, then the supervisor."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.problem import ProblemReported

if TYPE_CHECKING:
    from gateway.settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("serve")(serve)


def serve(
    models: Annotated[Path | None, typer.Option(help="Folder of models.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    admin_host: Annotated[str | None, typer.Option(help="Address of the admin port; --host by default.")] = None,
    admin_port: Annotated[
        int | None, typer.Option(help="A port of its own for admin API and metrics; 0 takes a free one.")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="A port for gRPC; 0 takes a free one. Needs the extra weir[grpc].")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Serving processes.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="File that keeps routes, alerts and the audit log, or redis://HOST:PORT/DATABASE."),
    ] = None,
    config: Annotated[Path | None, typer.Option(envvar="WEIR_CONFIG", help="Settings file (weir.yaml).")] = None,
    stable: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=VERSION", help="Stable version of a model's first route; repeatable."),
    ] = None,
    admin_token_file: Annotated[Path | None, typer.Option(help="File with the admin token.")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate chain in PEM; with --tls-key, serves HTTPS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate, in PEM.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    tick_s: Annotated[float | None, typer.Option("--tick-s", help="Seconds between looks of the watch.")] = None,
) -> None:
    """Serve a folder of models. Flags override WEIR_* variables, these the settings file."""
    from gateway.access.admin_token import find_admin_token
    from gateway.codec.configuration import load_settings
    from gateway.state.opening import hide_password, place_on_disk
    from gateway.supervisor import serve as supervise

    flags = {
        "models": models,
        "host": host,
        "port": port,
        "admin_host": admin_host,
        "admin_port": admin_port,
        "grpc_port": grpc_port,
        "workers": workers,
        "state": state,
        "admin_token_file": admin_token_file,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_level": log_level,
    }
    settings = with_flags(load_settings(config, os.environ), flags, _choices(stable or []), tick_s)
    settings = hide_password(settings, os.environ)
    _require_folders(settings)
    _require_extras(settings)
    _require_collector(settings)
    _require_detectors(settings)
    _require_policy(settings)
    _require_keys(settings)
    _require_checkpoint_key(settings)
    token = find_admin_token(os.environ, settings.admin_token_file, place_on_disk(settings))
    if token.path:
        typer.echo(f"admin token: {token.path}")
    supervise(settings, admin_token=token.secret)


def _require_folders(settings: Settings) -> None:
    """Complain of what is missing before anything is made."""
    from gateway.state.opening import place_on_disk

    for what, folder in (("folder of models", settings.models), ("state folder", place_on_disk(settings).parent)):
        if not folder.is_dir():
            raise ProblemReported(f"the {what} {folder} does not exist")


def _require_extras(settings: Settings) -> None:
    """Complain of packages that were not installed, before anything is made."""
    from gateway.extras import GRPC, TRACING

    asked = (
        ("gRPC", "grpc_port", settings.grpc_port, GRPC),
        ("tracing", "tracing.endpoint", settings.tracing.endpoint, TRACING),
    )
    for what, setting, value, extra in asked:
        if value is not None and (missing := extra.missing()):
            raise ProblemReported(
                f"{what} needs {' and '.join(missing)}: install {extra.name!r}, or leave {setting} out"
            )


def _require_collector(settings: Settings) -> None:
    """Complain here of files that the workers would need: they could only die of it again and again."""
    import ssl

    from gateway.tracing.destination import read_headers

    tracing = settings.tracing
    if tracing.endpoint is not None:
        read_headers(tracing.headers_file)
        try:
            ssl.create_default_context(cafile=tracing.ca_file)
        except OSError as error:
            why = (
                "holds no certificates in PEM"
                if isinstance(error, ssl.SSLError)
                else f"cannot be read: {error.strerror}"
            )
            raise ProblemReported(f"the file {tracing.ca_file} of tracing.ca_file {why}") from error


def _require_detectors(settings: Settings) -> None:
    """Complain here of a detector that is not there: the watch could only die of it again and again."""
    if not (settings.monitor.detectors or any(settings.monitor.model_detectors.values())):
        return  # before what detectors are made with is imported, which is a tenth of a start
    from monitors.detectors.plug_ins import DetectorUnknown, load_choice

    try:
        load_choice(settings.monitor.detectors, settings.monitor.model_detectors)
    except DetectorUnknown as exc:
        raise ProblemReported(f"the settings under monitor: {exc}") from exc


def _require_policy(settings: Settings) -> None:
    """Complain here of a policy that cannot be read; the supervisor reads the one that is then in force."""
    from gateway.governance.policy import read_policy

    if settings.governance.policy is not None:
        read_policy(settings.governance.policy)


def _require_keys(settings: Settings) -> None:
    """Complain here of a public key that cannot be read: every process would only end of it again and again."""
    from gateway.signing.trust import trust_of

    trust_of(settings.signing)


def _require_checkpoint_key(settings: Settings) -> None:
    """Complain here of a key of checkpoints that cannot be read: the watch could only die of it again and again."""
    if settings.audit.checkpoint_key is not None:
        from gateway.audit.signing_key import CHECKPOINT_ORIGIN, read_key

        read_key(settings.audit.checkpoint_key, CHECKPOINT_ORIGIN)


def with_flags(settings: Settings, flags: dict[str, Any], stable: dict[str, str], tick_s: float | None) -> Settings:
    """Return the settings with the flags that were given; raise ``DocumentInvalid`` for a value out of range."""
    from gateway.codec.configuration import check_settings, decode_settings, encode_settings

    monitor = settings.monitor if tick_s is None else replace(settings.monitor, tick_s=tick_s)
    routing = replace(settings.routing, stable={**settings.routing.stable, **stable})
    given = {name: value for name, value in flags.items() if value is not None}
    changed = replace(settings, monitor=monitor, routing=routing, **given)
    check_settings(changed, "the command line")
    # Flags have the types of the command line; reading them back holds them to the types of the settings.
    return decode_settings(encode_settings(changed))


def _choices(texts: list[str]) -> dict[str, str]:
    choices = {}
    for text in texts:
        model, equals, version = text.partition("=")
        if not (model and equals and version):
            raise typer.BadParameter(f"{text!r} is not MODEL=VERSION", param_hint="--stable")
        choices[model] = version
    return choices
