"""The targets of the campaign: held where they should be, and not where they should not."""

import pytest

from benchmarks.serving.claims import Claim, claims
from benchmarks.serving.floor import FLOOR
from benchmarks.serving.summary import Summary
from tests.benchmarks.serving.results import result

RATES = {"uvicorn bare ASGI": 40_000.0, "Weir": 70_000.0, "Weir, ASGI path": 31_000.0, "KServe": 5_000.0}


def held(rates: dict[str, float]) -> dict[str, bool]:
    found = claims(Summary([result(name, rate) for name, rate in rates.items()]))
    return {claim.text: claim.holds for claim in found}


def test_every_target_of_the_small_model_holds_when_it_is_met() -> None:
    assert len(held(RATES)) == 4
    assert all(held(RATES).values())


@pytest.mark.parametrize(
    ("name", "rate", "text"),
    [
        pytest.param("KServe", 7_100.0, "fastest peer", id="a peer at more than a tenth"),
        pytest.param("uvicorn bare ASGI", 47_000.0, "to uvicorn's bare ASGI floor", id="a floor too near"),
        pytest.param("Weir, ASGI path", 25_000.0, "ASGI path", id="a slow ASGI path"),
    ],
)
def test_a_target_that_is_missed_is_said_to_be_missed(name: str, rate: float, text: str) -> None:
    missed = [claim for claim, holds in held(RATES | {name: rate}).items() if not holds]
    assert len(missed) == 1
    assert text in missed[0]


def test_the_mlp_is_held_against_onnx_runtime_s_best_batch() -> None:
    floor = [result(FLOOR, rate, model="mlp", kind="batch", level=batch) for batch, rate in ((1, 500.0), (64, 4000.0))]
    found = claims(Summary([*floor, result("Weir", 2_900.0, model="mlp")]))
    batched = next(claim for claim in found if "best batched" in claim.text)
    assert batched.measured == pytest.approx(0.725)
    assert not batched.holds


def test_what_was_not_measured_makes_no_claim() -> None:
    assert claims(Summary([])) == []


@pytest.mark.parametrize("at_most", [False, True])
def test_a_figure_at_its_target_holds_and_no_figure_never_does(at_most: bool) -> None:
    assert Claim("", 2.0, 2.0, at_most=at_most).holds
    assert not Claim("", float("nan"), 2.0, at_most=at_most).holds
    assert Claim("", 1.0, 2.0, at_most=at_most).holds is at_most
