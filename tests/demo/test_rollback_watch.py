import asyncio

from gateway.demo.rollback_watch import RevisionWatch
from gateway.demo.traffic import Answer


def test_answers_asked_for_before_the_call_do_not_count() -> None:
    watch = RevisionWatch(revision=5, called_at=10.0, run_length=1)
    watch.see(Answer(9.9, 10.3, "", revision=4))
    watch.see(Answer(10.1, 10.2, "", revision=5))
    assert asyncio.run(watch.wait(1.0)) == 10.2 - 10.0


def test_a_run_that_is_too_short_is_no_rollback() -> None:
    watch = RevisionWatch(revision=5, called_at=10.0, run_length=3)
    for revision in (5, 5, 4, 5, 5):
        watch.see(Answer(10.1, 10.2, "", revision=revision))
    assert asyncio.run(watch.wait(0.0)) is None
