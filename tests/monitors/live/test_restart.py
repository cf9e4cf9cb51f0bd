"""A watch that restarts goes on where it stood."""

import json

import pytest

from monitors.transport.documents import DocumentRefused
from tests.monitors.live.material import LiveScene
from tests.monitors.material import observe, rows


def restarted(scene: LiveScene, seed: int = 8) -> LiveScene:
    """Return a new process on the state of an old one, which has just ended."""
    other = LiveScene(clock=scene.clock, store=scene.store, seed=seed)
    other.service.restore(scene.service.state())
    other.service.take(observe(rows(other.rng, 1), scene.clock.now_s - 1_000.0))  # late; it has the model read
    other.read_models()
    return other


def nats(scene: LiveScene) -> dict[str, float]:
    return {labels["cause"]: value for name, labels, value in scene.service.gauges() if name == "weir_evidence_nats"}


def test_evidence_goes_on_and_needs_no_second_burn_in() -> None:
    whole, broken = LiveScene(), LiveScene()
    for scene in (whole, broken):
        scene.live(30, shift=0.15)
        for _ in range(3):  # the rows of the seconds still open would be lost
            scene.pass_second()
    other = restarted(broken)
    other.rng = broken.rng
    for scene in (whole, other):
        scene.live(30, shift=0.15)
    assert nats(other) == nats(whole)
    assert max(nats(whole).values()) > 0.0


def test_an_open_page_is_neither_lost_nor_repeated() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(20, shift=0.3)
    before = scene.alert("drift")
    assert before.severity == "page"
    other = restarted(scene)
    other.live(60, shift=0.3)
    assert other.alert("drift").id == before.id
    assert other.alert("drift").state == "firing"
    assert other.pages().count("drift") == 0 or {a.id for a in other.sink.published if a.cause == "drift"} == {
        before.id
    }
    other.live(120)
    assert other.alert("drift").state == "resolved"


def test_rows_of_seconds_that_were_counted_before_the_restart_do_not_count_again() -> None:
    scene = LiveScene()
    scene.live(30)
    other = restarted(scene)
    scene.clock.now_s -= 10.0
    other.live(5)
    (stream,) = other.service.report("phishing")["streams"]
    assert stream["evidence"]["late_rows"] >= 400


def test_the_state_of_another_model_is_left_aside() -> None:
    scene = LiveScene()
    scene.live(30)
    text = scene.service.state()
    other = LiveScene(clock=scene.clock)
    digest = text.split(b'"model": "')[2][:32]
    other.service.restore(text.replace(digest, b"0" * 32))
    other.live(10)
    assert max(nats(other).values()) == 0.0


@pytest.mark.parametrize(
    ("where", "value"),
    [
        pytest.param(("monitor", "components", 0), 1e300, id="evidence-that-would-page-at-once"),
        pytest.param(("monitor", "components", 0), -1.0, id="evidence-below-nothing"),
        pytest.param(("monitor", "components"), [1.0], id="of-another-shape"),
        pytest.param(("monitor", "pending", 0), -5, id="rows-below-nothing"),
        pytest.param(("monitor", "pending", 0), 10**30, id="rows-beyond-integers"),
        pytest.param(("monitor", "rows"), 10**30, id="a-count-beyond-integers"),
        pytest.param(("memory", "marks"), [1, 2, 3], id="marks-without-places"),
        pytest.param(("closed_s",), 10**15, id="seconds-closed-in-the-future"),
        pytest.param(("began_s",), 10**15, id="a-summary-begun-in-the-future"),
    ],
)
def test_a_stream_that_no_watch_can_have_saved_begins_anew(where: tuple[str | int, ...], value: object) -> None:
    scene = LiveScene()
    scene.live(8)
    document = json.loads(scene.service.state())
    inner = document["streams"][0]
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    other = LiveScene(clock=scene.clock)
    other.service.restore(json.dumps(document).encode())
    other.live(3)
    assert other.pages() == []
    [stream] = other.service.report("phishing")["streams"]
    assert (stream["evidence"]["rows"], stream["evidence"]["late_rows"]) == (0, 0)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"schema_version": 2, "streams": []}', b"[" * 100_000])
def test_a_text_that_is_no_state_is_refused(text: bytes) -> None:
    with pytest.raises(DocumentRefused):
        LiveScene().service.restore(text)
