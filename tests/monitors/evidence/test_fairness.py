"""Bets are fair: checked by enumeration over the corners of the tolerance and by search over the reference's doubt."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linprog  # type: ignore[import-untyped]  # SciPy ships no types

from monitors.evidence.fairness import Doubt, fair_ratios, largest_mean

Floats = npt.NDArray[np.float64]

REFERENCE = np.array([0.02, 0.4, 0.3, 0.25, 0.03])
FRAME = np.array([True, False, False, False, True])
LAWS = np.array([[0.01, 0.2, 0.3, 0.45, 0.04], [0.3, 0.3, 0.2, 0.18, 0.02], [0.02, 0.05, 0.05, 0.85, 0.03]])


def largest_by_linear_program(ratios_b: Floats, p_b: Floats, doubt: Doubt) -> float:
    """Return the largest mean within the tolerance: variables are what each cell gains and loses."""
    b = len(p_b)
    gain_limits = [[*np.ones(b), *np.zeros(b)], [*FRAME.astype(float), *np.zeros(b)]]
    found = linprog(
        -np.concatenate([ratios_b, -ratios_b]),
        A_ub=np.array(gain_limits),
        b_ub=[doubt.tolerance, min(doubt.tolerance, doubt.rare_tolerance)],
        A_eq=[[*np.ones(b), *-np.ones(b)]],
        b_eq=[0.0],
        bounds=[(0, 1)] * b + [(0, float(p)) for p in p_b],
    )
    return float(ratios_b @ p_b - found.fun)


@pytest.mark.parametrize(("tolerance", "frame"), [(0.0, 0.0), (0.01, 0.002), (0.01, 0.01), (0.01, 0.0)])
def test_the_largest_mean_within_the_tolerance_is_one_or_less(tolerance: float, frame: float) -> None:
    doubt = Doubt(0.0, tolerance, frame)
    ratios_kb = fair_ratios(LAWS, REFERENCE, FRAME, doubt)
    largest = [largest_by_linear_program(ratios_b, REFERENCE, doubt) for ratios_b in ratios_kb]
    assert max(largest) <= 1.0 + 1e-9
    assert min(largest) > 0.999


@pytest.mark.parametrize("radius", [1e-4, 1e-3, 1e-2])
def test_no_law_that_the_reference_cannot_rule_out_has_a_mean_above_one(radius: float) -> None:
    rng = np.random.default_rng(0)
    ratios_kb = fair_ratios(LAWS, REFERENCE, FRAME, Doubt(radius, 0.0, 0.0))
    steps = rng.normal(size=(20_000, 5)) * np.sqrt(REFERENCE) * np.sqrt(2 * radius)
    laws = np.abs(REFERENCE + steps - REFERENCE * steps.sum(axis=1, keepdims=True))
    laws /= laws.sum(axis=1, keepdims=True)
    near = laws[(REFERENCE * np.log(REFERENCE / laws)).sum(axis=1) <= radius]
    means = near @ ratios_kb.T
    assert len(near) > 1000
    assert means.max() <= 1.0 + 1e-9
    assert means.max() > 1.0 - 2.0 * np.sqrt(radius)


def test_both_doubts_together_are_paid_for() -> None:
    doubt = Doubt(1e-3, 0.01, 0.002)
    ratios_kb = fair_ratios(LAWS, REFERENCE, FRAME, doubt)
    for signs in product((-1.0, 1.0), repeat=5):
        step = np.array(signs) * np.sqrt(REFERENCE) * 0.02
        law = REFERENCE + step - REFERENCE * step.sum()
        if (law > 0).all() and (REFERENCE * np.log(REFERENCE / law)).sum() <= doubt.radius_nats:
            assert max(largest_by_linear_program(ratios_b, law, doubt) for ratios_b in ratios_kb) <= 1.0 + 1e-9


def test_the_clipped_bet_grows_faster_than_the_ratio_divided_by_its_range() -> None:
    doubt = Doubt(0.0, 0.02, 0.02)
    plain_kb = LAWS / REFERENCE
    divided_kb = plain_kb / (1.0 + doubt.tolerance * np.ptp(plain_kb, axis=1, keepdims=True))
    growth = (LAWS * np.log(fair_ratios(LAWS, REFERENCE, FRAME, doubt))).sum(axis=1)
    assert (growth >= (LAWS * np.log(divided_kb)).sum(axis=1) - 1e-9).all()


def test_without_doubt_the_bet_is_the_likelihood_ratio() -> None:
    assert np.allclose(fair_ratios(LAWS, REFERENCE, FRAME, Doubt(0.0, 0.0, 0.0)), LAWS / REFERENCE)


def test_the_chance_of_an_unfair_bet_over_references_is_below_delta() -> None:
    """Draw references of 2,000 rows, fit the bet on each, and ask whether the truth makes it pay."""
    rng = np.random.default_rng(1)
    rows, delta = 2000, 0.05
    counts = rng.multinomial(rows, REFERENCE, size=300) + 0.5
    laws = counts / counts.sum(axis=1, keepdims=True)
    doubt = Doubt(-np.log(delta) / rows, 0.0, 0.0)
    tilt = LAWS / REFERENCE
    unfair = [
        (fair_ratios(tilt * law / (tilt * law).sum(axis=1, keepdims=True), law, FRAME, doubt) @ REFERENCE > 1.0)
        for law in laws
    ]
    assert np.mean(unfair, axis=0).max() <= delta


def test_a_bet_on_a_law_that_the_reference_cannot_rule_out_is_no_bet() -> None:
    ratios_kb = fair_ratios(REFERENCE[None, :] * 1.0, REFERENCE, FRAME, Doubt(1e-3, 0.0, 0.0))
    assert np.allclose(ratios_kb, 1.0)
    assert largest_mean(ratios_kb, REFERENCE, FRAME, Doubt(1e-3, 0.01, 0.01)) == pytest.approx([1.0])
