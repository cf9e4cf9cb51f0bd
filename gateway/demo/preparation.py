"""What one needs to try things oneself: the folder of models, and a file of requests to send."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from gateway.demo.bundles import MODEL
from gateway.demo.data import load_phishing, sample_instances
from gateway.demo.folder_lock import lock_folder
from gateway.demo.models import prepare_models
from gateway.demo.training import RECIPES

__all__ = ["prepare"]

REQUESTS = 500
MOST_ROWS = 24


def prepare(folder: Path, say: Callable[[str], None]) -> None:
    """Make ``models`` and ``requests.jsonl`` in a folder: a line a request body, of real rows as clients send them.

    Parameters
    ----------
    folder
        The demonstration's own folder; made when missing. What is there and up to date stays.
    say
        Takes one line for each thing that is made.

    Raises
    ------
    gateway.demo.folder_lock.FolderTaken
        A demonstration runs in the folder.
    """
    with lock_folder(folder):
        models = prepare_models(folder, say)
        requests = folder / "requests.jsonl"
        bodies = islice(sample_instances(load_phishing().instances(), most=MOST_ROWS), REQUESTS)
        lines = "".join(json.dumps({"instances": rows}) + "\n" for rows in bodies)
        requests.write_text(lines, encoding="ascii")
        say(f"models in {models}, {REQUESTS} requests in {requests}")
        for line in _how_to_serve(models):
            say(line)


def _how_to_serve(models: Path) -> Iterator[str]:
    stable, *_, broken = RECIPES
    serve = f"weir serve --models {shlex.quote(str(models))} --stable {MODEL}={stable.version}"
    yield f"serve them as the demonstration does: {serve}"
    yield (
        f"version {broken.version} is {broken.role}: it loads, and fails on nearly every real request, so that one can "
        f"see a canary taken out; without --stable it is served first, as the newest"
    )
