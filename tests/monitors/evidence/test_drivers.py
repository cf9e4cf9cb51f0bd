import numpy as np

from monitors.evidence.drivers import named_drivers


def test_nothing_is_named_without_evidence() -> None:
    assert named_drivers(np.ones(50)).tolist() == []


def test_weaker_evidence_suffices_beside_stronger() -> None:
    alone, beside = np.ones(20), np.ones(20)
    alone[3] = beside[3] = 120.0
    beside[7] = 210.0
    assert named_drivers(alone).tolist() == []
    assert named_drivers(beside).tolist() == [7, 3]


def test_the_share_of_wrongly_named_channels_is_bounded_under_full_dependence() -> None:
    """All null channels share one e-value: pays 60 with chance 1/60, else nothing."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(2000):
        e_values = np.full(10, 60.0 * (rng.random() < 1 / 60))
        e_values[0] = 1e4
        named = named_drivers(e_values)
        shares.append(np.mean(named != 0) if len(named) else 0.0)
    assert np.mean(shares) <= 0.1
