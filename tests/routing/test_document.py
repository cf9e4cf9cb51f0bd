from gateway.routing.document import CanaryRoute, RouteDocument, without_canary


def test_without_canary_traffic_the_canary_stays_in_the_route() -> None:
    route = RouteDocument("m", 3, "1", "salt", canary=CanaryRoute("2", 4_000))
    assert without_canary(route).canary == CanaryRoute("2", 0)
    assert without_canary(route).stable_bp == 10_000
    plain = RouteDocument("m", 3, "1", "salt")
    assert without_canary(plain) is plain
