"""The console in a real browser: what an operator does there, and what markup in the data does not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from gateway.access.caller import Caller
from gateway.clock import SystemClock
from gateway.http.credentials import COOKIE
from gateway.http.sessions import Sessions, SignedOut
from tests import loopback
from tests.end_to_end.browser import Browser
from tests.end_to_end.running import TOKEN, RunningGateway
from tests.models import columns_classifier, write_bundle

MARKUP = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"
MANIFEST = f"""
schema_version: 1
interface:
  features:
    - {{name: petal_length, range: {{min: 0, max: 10}}, out_of_range: reject}}
    - {{name: petal_width, missing: impute, fill: 1.3}}
    - {{name: sepal, dtype: string, categories: [long, medium, short, "{MARKUP}"], unseen: flag}}
"""
GOOD = {"petal_length": 1.4, "petal_width": 0.2, "sepal": "long"}
ODD = {"petal_length": 1.4, "petal_width": 0.2, "sepal": MARKUP + "unseen"}
WRONG = {"petal_length": "1", "petal_width": 0.2, "sepal": "long"}
MODEL = "#/models/iris"
LOSES_THE_FIRST_ANSWER = """
const ask = window.fetch;
window.keys = [];
window.fetch = async (place, init) => {
  const answer = await ask(place, init);
  if (init.method !== "POST" || place.includes("dry_run")) return answer;
  window.keys.push(init.headers["idempotency-key"]);
  if (window.keys.length === 1) throw new TypeError("Failed to fetch");
  return answer;
};
"""
ADMIN = Caller("admin", ("admin",), "configured", "configured")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("console")
    for version in ("1", "2"):
        files = {"model.yaml": MANIFEST, "card.md": f"# Iris {version}\n{MARKUP}"}
        write_bundle(folder / "models" / "iris" / version, columns_classifier(), **files)
    tick = {"TICK_S": "0.5", "MINIMUM_ROWS": "20", "CLEAR_TICKS": "1", "MINIMUM_FIRING_S": "600"}
    environ = {f"WEIR_MONITOR__{name}": value for name, value in tick.items()} | {"WEIR_MONITOR__SILENCE_S": "3600"}
    flags = ("--stable", "iris=1")
    with RunningGateway(folder / "models", folder / "weir.db", *flags, workers=1, environ=environ) as running:
        running.wait_for_workers("iris", "2")
        yield running


def predict(gateway: RunningGateway, row: dict[str, Any], times: int = 1) -> int:
    answer = loopback.post(f"{gateway.url}/predict/iris", json={"instances": [row] * times}, timeout=10.0)
    return answer.status_code


def route(gateway: RunningGateway) -> dict[str, Any]:
    with gateway.client() as client:
        found: dict[str, Any] = client.get("/admin/v1/models/iris/route").raise_for_status().json()
    return found


def slide_to(console: Browser, percent: str) -> None:
    """Set the weight by hand, as the slider does."""
    slider = console.wait(lambda: console.find("#weight-slider:enabled"), "the slider")
    slider.send_keys(Keys.HOME)
    for _ in range(int(percent)):
        slider.send_keys(Keys.ARROW_RIGHT)


def test_a_wrong_token_is_refused_and_the_right_one_stays_out_of_reach(browser: Browser) -> None:
    browser.open()
    browser.sign_in("wrong")
    browser.wait(lambda: "not valid" in browser.text(".signin"), "the refusal")
    browser.sign_in()
    browser.wait(lambda: "iris" in browser.text("#main"), "the models")
    kept = browser.run("return [location.href, document.cookie, JSON.stringify([localStorage, sessionStorage])].join()")
    assert TOKEN not in kept
    assert COOKIE not in kept
    cookie = browser.driver.execute_cdp_cmd("Network.getAllCookies", {})["cookies"][0]
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (
        f"{COOKIE}-{browser.run('return location.port')}",
        True,
        "Strict",
        "/admin/v1",
    )
    assert cookie["session"] is False


def test_all_models_are_seen_live(console: Browser, gateway: RunningGateway) -> None:
    console.wait(lambda: console.text("#live") == "Live", "live")
    assert predict(gateway, GOOD) == 200
    console.wait(
        lambda: "/s" in console.text(".cell-rate") and not console.text(".cell-rate").startswith("0/s"), "a rate"
    )
    row = console.text(".models tbody")
    assert "Healthy" in row
    assert "stable 100 %" in row


def test_a_weight_is_changed_through_the_slider_with_its_consequence_before_it(
    console: Browser, gateway: RunningGateway
) -> None:
    console.open(MODEL)
    slide_to(console, "5")
    console.wait(
        lambda: "5 % of the keys move from version 1 to version 2" in console.text("#consequence"), "what it does"
    )
    assert route(gateway)["canary"] is None
    console.press("Apply…")
    console.decide("Apply", f"try it {MARKUP}")
    console.wait(lambda: console.find("dialog") is None, "done")
    assert route(gateway)["canary"] == {"version": "2", "weight": 5.0}
    console.wait(
        lambda: MARKUP in console.text(".page-head") and "canary · 2" in console.text("#flow"), "the new route"
    )


def test_a_change_on_an_old_revision_is_refused_and_said(console: Browser, gateway: RunningGateway) -> None:
    gateway.put_route("iris", stable="1", canary={"version": "2", "weight": 5})
    console.open(MODEL)
    slide_to(console, "3")
    console.press("Apply…")
    console.wait(lambda: console.find("dialog input"), "the dialog")
    gateway.put_route("iris", stable="1", canary={"version": "2", "weight": 9}, reason="faster")
    console.decide("Apply", "too late")
    console.wait(lambda: "Somebody was faster" in console.text("dialog"), "the refusal")
    console.press("Cancel", "dialog")
    console.wait(lambda: "while you were editing" in console.text("#weights"), "the notice")
    assert route(gateway)["canary"]["weight"] == 9.0


def test_a_canary_is_rolled_back(console: Browser, gateway: RunningGateway) -> None:
    gateway.put_route("iris", stable="1", canary={"version": "2", "weight": 50})
    console.open(MODEL)
    console.press("Roll back…")
    console.decide("Roll back", "seen enough")
    console.wait(lambda: route(gateway)["canary"] is None, "no canary")
    console.wait(lambda: "seen enough" in console.text("#audit"), "the record")


def test_a_second_rollback_is_no_second_step_back(console: Browser, gateway: RunningGateway) -> None:
    assert gateway.put_route("iris", stable="2").status_code == 200
    gateway.put_route("iris", stable="2", canary={"version": "1", "weight": 50})
    console.open(MODEL)
    console.press("Roll back…")
    console.wait(lambda: console.find("dialog input"), "the dialog")
    gateway.put_route("iris", stable="2", canary={"version": "1", "weight": 40}, reason="the same step back")
    gateway.put_route("iris", stable="2", reason="faster")
    console.decide("Roll back", "seen enough")
    console.wait(lambda: "Somebody was faster (admin: faster)" in console.text("dialog"), "the refusal")
    console.press("Cancel", "dialog")
    assert route(gateway)["stable"] == "2"
    gateway.put_route("iris", stable="2", canary={"version": "1", "weight": 50}, reason="again").raise_for_status()
    console.wait(lambda: "admin: again" in console.text(".page-head"), "the new canary")
    console.press("Roll back…")
    console.wait(lambda: console.find("dialog input"), "the dialog")
    gateway.put_route("iris", stable="2", canary={"version": "1", "weight": 60}, reason="more of the same")
    console.decide("Roll back", "seen enough")
    console.wait(lambda: route(gateway)["canary"] is None, "no canary")
    assert route(gateway)["stable"] == "2"
    gateway.put_route("iris", stable="1")


def test_a_place_that_is_spelt_wrong_signs_nobody_out(console: Browser) -> None:
    console.open("#/models/%zz")
    console.wait(lambda: "There is no such model" in console.text("#main"), "the model that is none")


def test_a_model_is_stopped_and_resumed(console: Browser, gateway: RunningGateway) -> None:
    console.open(MODEL)
    console.press("Stop…")
    console.decide("Stop", "at once")
    console.wait(lambda: "Every request is refused" in console.text(".banner"), "stopped")
    gateway.wait_until(lambda: predict(gateway, GOOD) == 503, "refused")
    console.press("Resume…")
    console.decide("Resume", "again")
    console.wait(lambda: console.find(".banner") is None, "resumed")
    gateway.wait_until(lambda: predict(gateway, GOOD) == 200, "answered")


def test_a_page_is_acknowledged_and_marked_false(console: Browser, gateway: RunningGateway) -> None:
    for _ in range(3):
        predict(gateway, WRONG, times=20)
    console.open(MODEL)
    console.wait(lambda: "data-quality" in console.text("#alerts"), "the alert")
    console.press("Acknowledge", "#alerts")
    console.decide("Acknowledge", "on it")
    console.wait(lambda: "acknowledged by admin" in console.text("#alerts"), "acknowledged")
    console.press("Mark false", "#alerts")
    console.decide("Mark false", "a test of ours")
    console.wait(lambda: "marked false" in console.text("#alerts"), "marked")


def test_markup_in_the_data_stays_text(console: Browser, gateway: RunningGateway) -> None:
    gateway.put_route("iris", stable="1", canary={"version": "2", "weight": 5}, reason=MARKUP)
    predict(gateway, {**GOOD, "sepal": MARKUP}, times=30)
    predict(gateway, ODD, times=30)
    console.open(MODEL)
    console.press("Card", "#versions")
    console.wait(lambda: MARKUP in console.text("dialog pre"), "the card")
    console.press("Close", "dialog")
    console.wait(
        lambda: next((row for row in console.all(".heat-row") if row.text.startswith("sepal")), None), "sepal"
    ).click()
    labels = "return [...document.querySelectorAll('.histogram title')].map((each) => each.textContent).join()"
    console.wait(lambda: MARKUP in console.run(labels), "the category")
    console.wait(lambda: MARKUP in console.text("#audit"), "the reason")
    console.driver.get(f"{gateway.url}/console#/models/{MARKUP}")
    console.wait(lambda: "There is no such model" in console.text("#main"), "the model that is none")
    assert console.run(
        "return window.pwned === undefined && document.querySelectorAll('img, body script').length === 0"
    )


def test_what_would_hide_or_turn_text_around_is_written_out(console: Browser, gateway: RunningGateway) -> None:
    gateway.put_route("iris", stable="1", canary=None, reason="\u202edlo si ti\u202c\x1b\u200b")
    console.open(MODEL)
    console.wait(lambda: r"\u{202e}dlo si ti\u{202c}\u{1b}\u{200b}" in console.text("#audit"), "the reason")


def choose(console: Browser, value: str) -> None:
    """Choose in a dialog's list."""
    Select(console.wait(lambda: console.find("dialog select"), "the choice")).select_by_value(value)


def rollout(gateway: RunningGateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.read("/admin/v1/rollouts/iris").json()["rollout"]
    return found


def test_what_stands_in_the_way_of_a_rollout_is_said_before_it_is_asked_for(
    console: Browser, gateway: RunningGateway
) -> None:
    gateway.put_route("iris", stable="1", canary={"version": "2", "weight": 5})
    console.open(MODEL)
    console.press("Start a rollout…")
    console.wait(lambda: "has version 2 as its canary; remove it first" in console.text("dialog .obstacles"), "why not")
    assert console.button("Start", "dialog") is None
    console.find("dialog input[type=text]").send_keys("all the same", Keys.ENTER)  # type: ignore[union-attr]  # seen
    assert console.find("dialog") is not None
    console.press("Cancel", "dialog")
    console.wait(lambda: console.run("return document.activeElement.id") == "rollout-start", "back where it was")
    with gateway.client() as client:
        assert client.get("/admin/v1/rollouts/iris").status_code == 404


def test_a_rollout_is_started_a_gate_of_it_is_overridden_and_it_is_aborted(
    console: Browser, gateway: RunningGateway
) -> None:
    assert gateway.put_route("iris", stable="1").status_code == 200
    console.open(MODEL)
    console.press("Start a rollout…")
    console.wait(lambda: "Version 2 comes in place of version 1" in console.text("dialog .preview"), "what would be")
    assert "5 % of the keys" in console.text("dialog .preview")
    assert console.run("return document.activeElement.tagName") == "SELECT"
    console.press("Start", "dialog")
    console.wait(lambda: "Say why" in console.text("dialog .refusal"), "the reason is asked for")
    console.decide("Start", f"better {MARKUP}")
    console.wait(lambda: MARKUP in console.text("#rollout"), "the rollout")
    assert (rollout(gateway)["candidate"], rollout(gateway)["created_by"]) == ("2", "admin")

    gateway.wait_until(lambda: rollout(gateway)["stage"] == "shadow", "the shadow stage")
    console.press("Override…", "#rollout")
    choose(console, "shadow")
    console.wait(lambda: "although shadow has not passed" in console.text("dialog .preview"), "what would be")
    console.decide("Override", f"compared by hand {MARKUP}")
    console.wait(lambda: "shadow is overridden by admin" in console.text("#rollout"), "the override")
    (override,) = rollout(gateway)["overrides"]
    assert (override["gate"], override["reason"]) == ("shadow", f"compared by hand {MARKUP}")

    console.press("Abort…", "#rollout")
    console.decide("Abort", "enough")
    console.wait(lambda: console.text("#rollout .chip") == "failed", "the end")
    assert console.run("return window.pwned === undefined")


def test_a_version_in_quarantine_is_started_once_by_who_is_for_it(console: Browser, gateway: RunningGateway) -> None:
    console.resize(360, 740)
    console.open(MODEL)
    console.press("Start a rollout…")
    console.wait(lambda: "version 2 is in quarantine" in console.text("dialog .obstacles"), "why not")
    wide = "const d = document.querySelector('dialog'); return d.scrollWidth <= d.clientWidth && d.offsetWidth <= 360"
    assert console.run(wide)
    console.wait(lambda: console.find("dialog .waiver input"), "the waiver").click()
    console.wait(lambda: console.button("Start", "dialog"), "nothing in the way")
    console.run(LOSES_THE_FIRST_ANSWER)
    console.run("document.querySelector('dialog input[type=text]').focus()")
    console.driver.switch_to.active_element.send_keys("known to be sound", Keys.ENTER, Keys.ENTER)
    console.wait(lambda: "does not answer" in console.text("dialog .refusal"), "the answer is lost")
    console.press("Start", "dialog")
    console.wait(lambda: console.find("dialog") is None, "done")
    first, again = console.run("return window.keys")
    assert first == again
    records = gateway.read("/admin/v1/audit", last=100).json()["records"]
    assert [each["reason"] for each in records if each["action"] == "rollout.start"].count("known to be sound") == 1
    console.wait(lambda: "known to be sound" in console.text("#rollout"), "the rollout")
    with gateway.client() as client:
        client.post("/admin/v1/rollouts/iris/abort", json={"reason": "the test is over"}).raise_for_status()


def test_the_keyboard_alone_leads_to_a_decision(console: Browser) -> None:
    console.wait(lambda: console.find(".models a"), "the models")
    keys = ActionChains(console.driver)
    for _ in range(20):
        keys.send_keys(Keys.TAB).perform()
        if console.run("return document.activeElement.textContent") == "iris":
            break
    ActionChains(console.driver).send_keys(Keys.ENTER).perform()
    console.wait(lambda: console.find("#stop"), "the model")
    for _ in range(20):
        ActionChains(console.driver).send_keys(Keys.TAB).perform()
        if console.run("return document.activeElement.id") == "stop":
            break
    ActionChains(console.driver).send_keys(Keys.ENTER).perform()
    console.wait(lambda: console.find("dialog input"), "the dialog")
    assert console.run("return document.activeElement.tagName") == "INPUT"
    ActionChains(console.driver).send_keys(Keys.ESCAPE).perform()
    console.wait(lambda: console.run("return document.activeElement.id") == "stop", "back where it was")


@pytest.mark.parametrize("place", ["#/", MODEL, "#/audit"])
def test_nothing_is_wider_than_a_phone(console: Browser, place: str) -> None:
    console.resize(360, 740)
    console.open(place)
    console.wait(lambda: console.text("#live") == "Live" and len(console.text("#main")) > 50, "the page")
    assert console.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_viewer_sees_what_he_may_not_do_and_is_shown_out_when_his_token_is_revoked(
    console: Browser, gateway: RunningGateway
) -> None:
    console.press("Sign out")
    with gateway.client() as client:
        made = client.post("/admin/v1/tokens", json={"name": "vera", "role": "viewer"}).json()
        console.sign_in(made["token"])
        console.wait(lambda: console.text("#who") == "vera · viewer", "who is signed in")
        console.open(MODEL)
        console.wait(lambda: console.text("#live") == "Live" and console.find("#stop"), "the model")
        console.wait(lambda: console.all("#versions button"), "the versions")
        console.wait(lambda: "Start a rollout…" in console.text("#rollout"), "what a rollout offers")
        refused = [each for each in console.all("#main button") if "…" in each.text]
        assert {each.text for each in refused} >= {"Roll back…", "Stop…", "Apply…", "Start a rollout…"}
        assert not [each.text for each in refused if each.is_enabled()]
        why = "Needs the role operator; you are signed in as vera · viewer."
        assert {each.get_attribute("title") for each in refused} == {why}
        assert client.delete(f"/admin/v1/tokens/{made['id']}").json()["behind"] == []
    console.wait(lambda: "Sign in again" in console.text("#main"), "shown out")


def test_a_session_ends_when_it_expires_and_when_one_signs_out(
    console: Browser, gateway: RunningGateway, tmp_path: Path
) -> None:
    console.press("Sign out")
    console.wait(lambda: console.find("#token"), "signed out")
    short = Sessions(TOKEN, SignedOut(tmp_path), SystemClock(), lifetime_s=4).begin(ADMIN)
    cookie = {
        "name": f"{COOKIE}-{gateway.port}",
        "value": short.ticket,
        "url": f"{gateway.url}/admin/v1/x",
        "path": "/admin/v1",
    }
    console.driver.execute_cdp_cmd("Network.setCookie", cookie)
    console.open()
    console.wait(lambda: console.find("#live"), "signed in")
    console.wait(lambda: "Sign in again" in console.text("#main"), "expired")
