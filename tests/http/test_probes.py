"""Probes: alive, started, ready, and why not."""

from tests.http.front import Front


def test_readiness_waits_for_every_routed_model(front: Front) -> None:
    response = front("GET", "/readyz")
    assert response.status_code == 503
    (reason,) = response.json()["reasons"]
    assert reason.startswith("gone: its stable version 1 is not loaded; ")
    assert front("GET", "/v2/health/ready").status_code == 503
    del front.routes["gone"]
    assert front("GET", "/readyz").json() == {"status": "ready", "reasons": [], "degraded": []}
    assert front("GET", "/v2/health/ready").json() == {"ready": True}
    front.store_is_up = False
    response = front("GET", "/readyz")
    assert response.status_code == 200
    assert response.json()["degraded"] == ["the state store is away: routes are the last known"]
    front.store_is_up, front.unreadable = True, {"route/m": "not JSON"}
    degraded = front("GET", "/readyz").json()["degraded"]
    assert degraded == ["route/m cannot be read, the last known is in force: not JSON"]


def test_a_gateway_without_models_is_alive_and_not_ready(front: Front) -> None:
    front.routes.clear()
    assert front("GET", "/livez").json() == {"status": "alive"}
    assert front("GET", "/v2/health/live").json() == {"live": True}
    assert front("GET", "/readyz").json()["reasons"] == ["no model is served yet"]


def test_startup_is_over_once(front: Front) -> None:
    assert front("GET", "/startupz").status_code == 503
    front.is_settled = True
    assert front("GET", "/startupz").json() == {"status": "started"}
    readiness = front.readiness
    front.is_settled = False
    assert readiness.started()


def test_a_worker_that_drains_is_not_ready(front: Front) -> None:
    front("GET", "/livez")
    front.readiness.draining = True
    assert front.readiness.reasons() == ["draining: this worker is about to stop"]
