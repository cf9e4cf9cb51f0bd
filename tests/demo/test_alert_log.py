from gateway.demo.alert_log import AlertLog
from tests.demo.fake_gateway import alert


def test_an_alert_is_followed_from_warning_to_resolution() -> None:
    log = AlertLog()
    log.update([alert("drift", state="warn", names=("https",))], 1.0)
    log.update([alert("drift", state="firing", names=("is_popular", "https"))], 2.0)
    log.update([alert("drift", state="recovering", names=("is_popular",))], 3.0)
    log.update([alert("drift", state="resolved")], 4.0)
    (sighting,) = log.sightings
    assert (sighting.first_seen_at, sighting.fired_at, sighting.resolved_at) == (1.0, 2.0, 4.0)
    assert list(sighting.named) == ["https", "is_popular"]
    assert not sighting.is_open


def test_an_alert_that_leaves_the_list_is_resolved() -> None:
    log = AlertLog()
    log.update([alert("drift"), alert("data-quality")], 1.0)
    log.update([alert("drift")], 2.0)
    assert [sighting.cause for sighting in log.open_sightings()] == ["drift"]
    assert [s.resolved_at for s in log.sightings if s.cause == "data-quality"] == [2.0]


def test_an_alert_that_only_warns_has_not_fired() -> None:
    log = AlertLog()
    log.update([alert("drift", state="warn"), alert("drift", version="2")], 1.0)
    assert log.fired("drift", version="1") is None
    assert log.fired("drift", version="2") is not None
