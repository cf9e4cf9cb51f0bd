"""``weir demo``."""

from __future__ import annotations

import asyncio
import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from gateway.demo.performance import Options

__all__ = ["register"]

EXTRA = ("onnx", "sklearn", "skl2onnx")
LOG_WIDTH = 140
INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command ``demo`` to the app."""
    app.command("demo")(_demo)


def _demo(
    exit_at_end: Annotated[
        bool, typer.Option("--exit", help="Exit after the story: 0 when all of it came true, else 1.")
    ] = False,
    prepare_only: Annotated[
        bool, typer.Option("--prepare", help="Only make the models and a file of requests, to try things oneself.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port to serve on; another free one when it is taken.")] = 8080,
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder for models, state, token and log.", file_okay=False)
    ] = Path(".weir/demo"),
    duration_scale: Annotated[
        float, typer.Option(min=0.05, max=100.0, help="Multiply the length of every phase.")
    ] = 1.0,
) -> None:
    """Show it all in two minutes: real models, canary, shadow, an incident, a broken canary, a rollback."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        console.print(f"the demonstration needs {', '.join(missing)}: pip install 'weir[demo]'", markup=False)
        raise typer.Exit(1)
    # Imported here: these modules need the extra.
    from gateway.demo.performance import Options

    if prepare_only:
        raise typer.Exit(_prepare(folder, console))
    raise typer.Exit(_run(Options(folder.absolute(), port, exit_at_end, duration_scale), console))


def _prepare(folder: Path, console: Console) -> int:
    from gateway.demo.folder_lock import FolderTaken
    from gateway.demo.preparation import prepare

    try:
        prepare(folder, lambda line: console.print(line, markup=False, soft_wrap=True))
    except FolderTaken as error:
        console.print(str(error), markup=False)
        return 1
    return 0


def _run(options: Options, console: Console) -> int:
    from gateway.demo.folder_lock import FolderTaken
    from gateway.demo.gateway_process import GatewayDied
    from gateway.demo.performance import perform

    async def main() -> bool:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await perform(options, console, environment=os.environ)

    try:
        return 0 if asyncio.run(main()) else 1
    except asyncio.CancelledError:
        return INTERRUPTED
    except (FolderTaken, GatewayDied) as error:
        console.print(str(error), markup=False)
    return 1
