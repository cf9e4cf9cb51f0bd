"""What `weir demo --prepare` leaves, and what it tells who wants to try things."""

import json
from pathlib import Path

from gateway.demo.preparation import prepare


def test_it_says_how_to_serve_what_it_has_made_and_what_the_broken_version_is_for(models: Path) -> None:
    said: list[str] = []
    folder = models.parent.parent
    prepare(folder, said.append)
    made, serve, broken = said
    assert made == f"models in {folder / 'models'}, 500 requests in {folder / 'requests.jsonl'}"
    assert serve.endswith(f"weir serve --models {folder / 'models'} --stable phishing=1")
    assert broken.startswith("version 4 is the broken canary: it loads, and fails on nearly every real request")
    assert "without --stable it is served first, as the newest" in broken
    bodies = (folder / "requests.jsonl").read_text(encoding="ascii").splitlines()
    assert (len(bodies), list(json.loads(bodies[0]))) == (500, ["instances"])
