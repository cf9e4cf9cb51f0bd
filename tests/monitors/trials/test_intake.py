"""From records to counts: each key once, and whose fault a failure is."""

import pytest

from monitors.records import BROKEN_FLAG, FALLBACK_FLAG, Standstill, StreamInfo
from monitors.trials.book import TrialBook
from monitors.trials.counts import TrialCounts
from monitors.trials.intake import Intake
from monitors.trials.keys import ArmTally, KeyFilter
from monitors.trials.quantiles import quantile_estimate
from tests.monitors.trials.material import answers, comparison, failures, info, spec


@pytest.fixture
def intake() -> Intake:
    infos: dict[str, StreamInfo] = {"1": info("1"), "2": info("2", ("yes", "no"))}
    return Intake(spec(), KeyFilter(), infos)


def settled(intake: Intake) -> TrialCounts:
    """Return the counts once nothing waits for a word any more."""
    counts = intake.cut()
    for _ in range(25):
        counts += intake.cut()
    return counts


def test_a_key_counts_once_an_arm_and_a_request_without_a_key_counts_itself(intake: Intake) -> None:
    intake.take(answers("1", ["a", "b", "c"], [1, 1, 2]))
    intake.take(answers("2", ["d", "e", "e"], [1, 0, 0]))
    counts = intake.cut()
    assert (counts.stable.keys, counts.candidate.keys) == (2, 2)
    intake.take(answers("1", ["f", "g"], [2, 3]))
    assert intake.cut().stable.keys == 1


def test_rows_of_older_routes_other_versions_and_pinned_ones_do_not_count(intake: Intake) -> None:
    intake.take(answers("1", ["a"], revision=6))
    intake.take(answers("3", ["b"]))
    intake.take(answers("2", ["c"], variant="pinned"))
    intake.take(answers("2", ["d"], variant="shadow"))
    counts = intake.cut()
    assert (counts.stable.keys, counts.candidate.keys, intake.taken) == (0, 0, 0)


def test_a_failure_that_stable_answered_is_the_candidates(intake: Intake) -> None:
    intake.take_failures(failures("2", "a", status="masked", key=5))
    assert intake.cut().candidate.failed == 0
    intake.take(answers("1", ["a"], [5], flags=[FALLBACK_FLAG]))
    counts = intake.cut()
    assert (counts.candidate.failed, counts.stable.keys) == (1, 0)


def test_the_word_of_stable_may_come_first(intake: Intake) -> None:
    intake.take(answers("1", ["a"], [5], flags=[FALLBACK_FLAG]))
    intake.take_failures(failures("2", "a", status="masked", key=5))
    assert intake.cut().candidate.failed == 1


@pytest.mark.parametrize("how", ["error", "broken"])
def test_a_failure_that_stable_repeats_counts_for_neither(intake: Intake, how: str) -> None:
    intake.take_failures(failures("2", "a", status="masked", key=5))
    if how == "error":
        intake.take_failures(failures("1", "a", status="server_error", key=5))
    else:
        intake.take(answers("1", ["a"], [5], flags=[FALLBACK_FLAG | BROKEN_FLAG]))
    counts = settled(intake)
    assert (counts.candidate.failed, counts.stable.failed, counts.stable.keys) == (0, 0, 0)
    assert (counts.candidate.keys, counts.candidate.first_failed) == (1, 1)


def test_a_failure_without_a_word_is_the_candidates_after_a_while(intake: Intake) -> None:
    intake.take_failures(failures("2", "a", status="masked", key=5))
    assert settled(intake).candidate.failed == 1


def test_failures_of_one_key_count_once(intake: Intake) -> None:
    intake.take_failures(failures("2", "a", "b", "c", status="masked", key=5))
    intake.take_failures(failures("1", "d", "e", status="server_error", key=6))
    counts = settled(intake)
    assert (counts.candidate.failed, counts.candidate.keys) == (1, 1)
    assert (counts.stable.failed, counts.stable.keys) == (1, 1)


@pytest.mark.parametrize("status", ["client_error", "shed"])
def test_what_is_nobodys_fault_does_not_count(intake: Intake, status: str) -> None:
    intake.take_failures(failures("1", "a", status=status))  # type: ignore[arg-type]  # pytest gives strings
    intake.take_failures(failures("2", "b", status="masked", reason="busy"))
    counts = settled(intake)
    assert counts.stable.keys == counts.candidate.keys == 0


def test_an_answer_beyond_the_time_slice_is_a_failure_on_either_arm(intake: Intake) -> None:
    for version in ("1", "2"):
        intake.take(answers(version, [f"{version}a", f"{version}b"], durations=[0.01, 0.3]))
    counts = settled(intake)
    assert (counts.stable.failed, counts.candidate.failed) == (1, 1)


@pytest.mark.parametrize("is_told_first", [True, False])
def test_what_is_late_because_its_worker_stood_still_is_no_versions_fault(intake: Intake, is_told_first: bool) -> None:
    if is_told_first:
        intake.take_standstill(Standstill("w", -0.4, -0.1))
    intake.take(answers("1", ["a"], durations=[0.5]))
    intake.take(answers("2", ["b"], durations=[0.5]))
    intake.take_failures(failures("2", "c", status="masked", reason="timeout", duration_s=0.5))
    counts = intake.cut()
    if not is_told_first:
        intake.take_standstill(Standstill("w", -0.4, -0.1))
    counts += settled(intake)
    assert (counts.stable.failed, counts.candidate.failed) == (0, 0)
    assert (counts.stable.keys, counts.candidate.keys, counts.candidate.first_failed) == (1, 2, 2)


@pytest.mark.parametrize(
    ("standstill", "reason", "duration_s"),
    [
        pytest.param(Standstill("w", -0.4, -0.3), "timeout", 0.5, id="late-all-the-same"),
        pytest.param(Standstill("v", -0.4, -0.1), "timeout", 0.5, id="another-worker"),
        pytest.param(Standstill("w", -9.0, -8.0), "timeout", 0.3, id="another-time"),
        pytest.param(Standstill("w", -0.4, -0.1), "error", 0.5, id="not-for-want-of-time"),
    ],
)
def test_a_standstill_excuses_nothing_else(
    intake: Intake, standstill: Standstill, reason: str, duration_s: float
) -> None:
    intake.take_standstill(standstill)
    intake.take_failures(failures("2", "c", status="masked", reason=reason, duration_s=duration_s))
    assert settled(intake).candidate.failed == 1


@pytest.mark.parametrize("is_told_first", [True, False])
def test_what_the_host_kept_an_answer_is_not_of_its_own(intake: Intake, is_told_first: bool) -> None:
    lost = [Standstill("w", -0.4, -0.2), Standstill("w", -0.25, -0.1, "fraud", "2")]
    others = [Standstill("w", -0.5, -0.1, "other", "1"), Standstill("v", -0.5, -0.1)]
    counts = TrialCounts()
    for is_before in (True, False):
        if is_before == is_told_first:
            for standstill in lost + others:
                intake.take_standstill(standstill)
        if is_before:
            intake.take(answers("1", ["a", "b"], [1, 2], durations=[0.5, 0.01]))
            intake.take(answers("2", ["c", "d"], [3, 4], durations=[0.5, 0.01]))
            counts += intake.cut()
    counts += settled(intake)
    found = {
        name: [quantile_estimate(histogram, share) for share in (0.5, 1.0)]
        for name, histogram in (
            ("stable", counts.stable.latency_b),
            ("stable's own", counts.stable.own_latency_b),
            ("candidate", counts.candidate.latency_b),
            ("candidate's own", counts.candidate.own_latency_b),
        )
    }
    assert found["stable"] == found["candidate"] == pytest.approx([0.01, 0.5], rel=0.01)
    assert found["stable's own"] == pytest.approx([0.01, 0.3], rel=0.01)
    assert found["candidate's own"] == pytest.approx([0.01, 0.2], rel=0.01)


def test_a_book_brings_a_standstill_to_every_trial() -> None:
    book = TrialBook()
    book.follow([spec()])
    book.receive(Standstill("w", -0.4, -0.1))
    book.receive(answers("2", ["b"], durations=[0.5]))
    for _ in range(4):
        book.judge()
    assert "0 of 1 keys failed on the candidate" in book.judge()["fraud"].verdicts[1].why


def test_classes_are_compared_by_name(intake: Intake) -> None:
    intake.take(answers("1", ["a", "b"], labels=[0, 1]))
    intake.take(answers("2", ["c", "d"], labels=[1, 1]))
    counts = intake.cut()
    assert counts.stable.classes_b[:2].tolist() == [1, 1]
    assert counts.candidate.classes_b[:2].tolist() == [2, 0]


def test_the_arm_that_is_seen_more_fully_is_thinned(intake: Intake) -> None:
    intake.take(answers("1", [f"s{n}" for n in range(1_000)], ratio=0.2))
    intake.take(answers("2", [f"c{n}" for n in range(1_000)]))
    intake.take(answers("1", [f"t{n}" for n in range(1_000)], ratio=0.2))
    counts = intake.cut()
    assert counts.stable.keys == 2_000
    assert 150 < counts.candidate.keys < 250


def test_requests_of_several_rows_agree_as_a_whole() -> None:
    intake = Intake(spec(stage="shadow"), KeyFilter(), {"2": info("2")})
    intake.take_shadow_totals(10, 40)
    intake.take_shadow_totals(10, 100)
    intake.take_comparison(comparison(["a", "a", "b", "c"], [True, False, True, True]))
    intake.take_shadow_totals(12, 105)
    counts = intake.cut()
    assert (counts.compared, counts.disagreed, counts.dropped) == (5, 3, 5)


def test_memory_is_bounded_by_leaving_out_keys_of_both_arms_alike() -> None:
    keys = KeyFilter(most=1_000)
    mine, theirs = ArmTally(keys), ArmTally(keys)
    for key in range(1, 20_001):
        (mine if key % 4 == 0 else theirs).see(key * 0x5851F42D4C957F2D % 2**64, failed=False)
    assert keys.halvings >= 4
    again = [key * 0x5851F42D4C957F2D % 2**64 for key in range(1, 20_001) if key % 4 == 0]
    mine.cut()
    assert not any(mine.see(key, failed=False) for key in again)
    theirs.cut()


def test_a_trial_goes_on_while_it_stays_the_same_and_begins_anew_for_another_step() -> None:
    book = TrialBook()
    book.receive(info("1"))
    book.follow([spec()])
    book.receive(answers("1", ["a", "b"]))
    assert book.judge()["fraud"].taken == 2
    book.follow([spec(since_revision=9)])
    book.receive(answers("1", ["c"], revision=8))
    book.receive(answers("1", ["d"], revision=9))
    assert book.judge()["fraud"].taken == 3
    book.follow([spec(step=1, weight_bp=2_500, since_revision=9)])
    assert book.judge()["fraud"].taken == 0
    book.follow([])
    book.receive(answers("1", ["e"]))
    assert book.judge() == {}


def test_keys_of_a_time_in_which_a_worker_gave_up_the_canary_never_count_for_the_split() -> None:
    book = TrialBook()
    book.follow([spec()])

    def counted() -> int:
        return int(book.judge()["fraud"].verdicts[0].why.split(" of ")[1].split(" ")[0])

    book.receive(answers("1", ["before"]))
    assert counted() == 0
    for _ in range(12):
        assert counted() in (0, 1)
    assert counted() == 1
    book.receive(answers("1", ["just before it was known"]))
    book.judge()
    book.follow([spec()], paused={"fraud"})
    book.receive(answers("1", ["meanwhile"]))
    book.judge()
    book.follow([spec()])
    book.receive(answers("1", ["afterwards", "meanwhile"]))
    for _ in range(13):
        book.judge()
    assert counted() == 2
    assert book.judge()["fraud"].taken == 5
