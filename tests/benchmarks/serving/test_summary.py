"""Medians over rounds, and the fastest peer."""

from math import isnan

from benchmarks.serving.summary import Summary
from tests.benchmarks.serving.results import result


def test_the_median_is_over_rounds_of_one_cell_only() -> None:
    rounds = [result("Weir", rate, round_=i) for i, rate in enumerate((10.0, 30.0, 20.0))]
    other = [result("Weir", 99.0, level=1), result("Weir", 98.0, model="mlp"), result("KServe", 97.0)]
    summary = Summary([*rounds, *other])
    assert summary.rate("small", "Weir") == 20.0
    assert summary.rate("small", "Weir", level=1) == 99.0
    assert summary.cpu_us("small", "Weir") == 1e6 / 20.0


def test_what_was_not_measured_is_not_a_number() -> None:
    summary = Summary([result("Weir", 1.0)])
    assert isnan(summary.rate("mlp", "Weir"))
    name, rate = summary.fastest_peer("small")
    assert (name, isnan(rate)) == ("", True)


def test_the_fastest_peer_is_neither_weir_nor_a_floor() -> None:
    rates = {"raw protocol": 100.0, "Weir": 50.0, "KServe": 3.0, "LitServe": 4.0}
    summary = Summary([result(name, rate) for name, rate in rates.items()])
    assert summary.fastest_peer("small") == ("LitServe", 4.0)


def test_models_come_in_the_order_of_measurement_and_servers_in_that_of_the_catalogue() -> None:
    summary = Summary([result("KServe", 1.0, model="mlp"), result("Weir", 1.0, model="mlp"), result("Weir", 1.0)])
    assert summary.models() == ["mlp", "small"]
    assert summary.servers("mlp") == ["Weir", "KServe"]
