"""The whole performance: gateway, clients, operator and view, started and stopped in the right order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
from rich.console import Console

from gateway.demo.admin import Admin
from gateway.demo.bundles import MODEL
from gateway.demo.data import load_phishing, sample_instances
from gateway.demo.folder_lock import lock_folder
from gateway.demo.gateway_process import GatewayPlan, GatewayProcess, free_port
from gateway.demo.models import prepare_models
from gateway.demo.scenario import PHASES, Scenario, scaled
from gateway.demo.tables import where_to_look
from gateway.demo.traffic import Traffic
from gateway.demo.verdict import Check, verdict
from gateway.demo.view import View, print_story, view_for

__all__ = ["Options", "perform"]

RATE_PER_S = 150.0
ENCORE_RATE_PER_S = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    folder: Path
    port: int
    exits: bool
    duration_scale: float


async def perform(options: Options, console: Console, *, environment: Mapping[str, str]) -> bool:
    """Run the demonstration and return whether every promise was kept; goes on serving unless told to exit.

    Raises
    ------
    gateway.demo.gateway_process.GatewayDied
        The gateway did not start.
    gateway.demo.folder_lock.FolderTaken
        Another demonstration runs in the folder.
    """
    with lock_folder(options.folder):
        console.print("training the models" if not (options.folder / "models").is_dir() else "checking the models")
        models = await asyncio.to_thread(prepare_models, options.folder, lambda line: console.print(f"  {line}"))
        plan = GatewayPlan(options.folder, models, free_port(options.port), stable=f"{MODEL}=1")
        console.print(f"starting the gateway: {plan.workers} workers, shadow, watch with ticks of {plan.tick_s:g} s")
        async with GatewayProcess(plan, environment=environment) as gateway:
            await gateway.wait_ready()
            console.print(where_to_look(plan))
            return await _play(plan, options, console)


async def _play(plan: GatewayPlan, options: Options, console: Console) -> bool:
    token = plan.token_file.read_text(encoding="ascii").strip()
    # An idle connection is dropped here before the server drops it, which would look like an error.
    limits = httpx.Limits(keepalive_expiry=2.0)
    async with (
        httpx.AsyncClient(base_url=plan.url, limits=limits, timeout=10.0) as public,
        httpx.AsyncClient(base_url=plan.url, timeout=10.0, headers={"authorization": f"Bearer {token}"}) as operator,
    ):
        table = load_phishing()
        requests = sample_instances(table.instances())
        traffic = Traffic(public, requests, model=MODEL, rate_per_s=RATE_PER_S)
        scenario = Scenario(scaled(PHASES, options.duration_scale), traffic, Admin(operator, MODEL))
        view = view_for(console, plan)
        checks = await _play_with_audience(scenario, view, console, features=table.features, exits=options.exits)
    return all(check.kept for check in checks)


async def _play_with_audience(
    scenario: Scenario, view: View, console: Console, *, features: tuple[str, ...], exits: bool
) -> list[Check]:
    async with asyncio.TaskGroup() as group:
        coroutines = (scenario.traffic.run(), scenario.watch(), _keep_showing(view, scenario))
        background = [group.create_task(coroutine) for coroutine in coroutines]
        with view:
            await scenario.run()
        checks = verdict(scenario, features)
        print_story(console, scenario, checks)
        if not exits:
            await _encore(scenario, view, console)
        for task in background:
            task.cancel()
    return checks


async def _encore(scenario: Scenario, view: View, console: Console) -> None:
    scenario.traffic.rate_per_s = ENCORE_RATE_PER_S
    console.print(f"serving on with {ENCORE_RATE_PER_S:g} requests a second until Ctrl-C")
    with view:
        await asyncio.Event().wait()


async def _keep_showing(view: View, scenario: Scenario) -> NoReturn:
    while True:
        view.show(scenario)
        await asyncio.sleep(view.encore_interval_s if scenario.is_over else view.interval_s)
