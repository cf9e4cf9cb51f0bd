import numpy as np

from monitors.evidence.bootstrap import StationaryBootstrap


def drawn(steps: int, *, resampled: bool, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bootstrap = StationaryBootstrap(60, mean_run=5.0, replicas=40, resampled=resampled, rng=rng)
    return np.array([bootstrap.draw() for _ in range(steps)])


def test_runs_have_their_mean_length_and_go_around_the_end() -> None:
    places = drawn(2000, resampled=False)
    goes_on = (places[1:] - places[:-1]) % 60 == 1
    assert abs((~goes_on).mean() - 1 / 5) < 0.01
    assert ((places[:-1] == 59) & (places[1:] == 0)).any()


def test_every_place_is_drawn_equally_often() -> None:
    shares = np.bincount(drawn(2000, resampled=False).ravel(), minlength=60) / 80_000
    assert abs(shares - 1 / 60).max() < 0.004


def test_a_resample_has_starts_of_its_own() -> None:
    own, plain = drawn(1000, resampled=True), drawn(1000, resampled=False)
    spread = [np.bincount(own[:, r], minlength=60).std() for r in range(40)]
    usual = [np.bincount(plain[:, r], minlength=60).std() for r in range(40)]
    assert min(spread) > np.mean(usual)


def test_the_same_seed_draws_the_same() -> None:
    assert np.array_equal(drawn(50, resampled=True), drawn(50, resampled=True))
