"""Whether all requests are a lane's own, and were so since its last runs."""

from types import SimpleNamespace as Counts

from gateway.batching.solitude import Solitude

SHORT_S, USUAL_S, LONG_S = 0.4e-3, 2e-3, 6e-3


class Lanes:
    """Some lanes of one worker, each of whose batches is answered before the next comes."""

    def __init__(self, n: int, *, has_one_core: bool = False) -> None:
        self.traffic = Counts(in_flight=1, entered=100)
        self.lanes = [Solitude(self.traffic, above_s=0.5e-3, most_s=5e-3, has_one_core=has_one_core) for _ in range(n)]
        self.entered = [0] * n

    def settle(self, lane: int = 0) -> None:
        """Have a lane be alone for long enough."""
        assert [self.ask(lane) for _ in range(10)] == [False] * 9 + [True]

    def ask(self, lane: int = 0, cost_s: float = USUAL_S, *, requests: int = 1, of_others: int = 0) -> bool:
        self.traffic.in_flight = requests + of_others
        self.traffic.entered += requests
        self.entered[lane] += requests
        return self.lanes[lane].spares(cost_s, in_flight=requests, entered=self.entered[lane])


def test_who_asks_alone_may_hold_the_loop_and_who_takes_turns_may_not() -> None:
    lanes = Lanes(2)
    lanes.settle(0)
    assert [lanes.ask(i // 3 % 2) for i in range(3, 60)] == [False] * 57
    lanes.settle(0)


def test_requests_that_never_ask_are_seen_too() -> None:
    lanes = Lanes(1)
    lanes.settle()
    assert lanes.ask()
    lanes.traffic.entered += 1  # of a model whose runs are on the loop anyway
    lanes.settle()


def test_nobody_is_alone_beside_another() -> None:
    lanes = Lanes(1)
    lanes.settle()
    assert not lanes.ask(of_others=1)
    assert [lanes.ask() for _ in range(9)] == [False] * 8 + [True]
    assert not lanes.ask(requests=2), "one of the two collects, where there is a core for it"


def test_where_the_worker_has_one_core_a_lane_s_own_requests_do_not_count() -> None:
    lanes = Lanes(2, has_one_core=True)
    assert [lanes.ask(requests=2 + i % 3) for i in range(12)] == [False] * 9 + [True] * 3
    assert not lanes.ask(requests=2, of_others=1)
    assert [lanes.ask(requests=2) for _ in range(9)] == [False] * 8 + [True]
    lanes.ask(1)
    assert not lanes.ask(requests=2), "somebody else came, though nobody else is there"


def test_only_runs_of_the_right_length_hold_the_loop() -> None:
    lanes = Lanes(1)
    lanes.settle()
    assert not lanes.ask(cost_s=SHORT_S), "it would be there already, had it not been sent away"
    assert not lanes.ask(cost_s=LONG_S)
    assert lanes.ask()


def test_one_that_held_it_for_too_long_stays_away_for_a_while() -> None:
    lanes = Lanes(1)
    lanes.settle()
    lanes.lanes[0].took(9e-3)
    assert lanes.ask()
    lanes.lanes[0].took(11e-3)
    assert [lanes.ask() for _ in range(65)] == [False] * 64 + [True]
