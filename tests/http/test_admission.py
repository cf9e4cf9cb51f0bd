"""Quotas, priorities and deadlines at the edge, on both ways into a worker."""

import json

from gateway.engine.timing import RateCurve
from gateway.settings import AdmissionSettings
from tests.http.both_ways import Worker, post
from tests.http.wire import Response, passes

SLOW = b'{"instances": [[1]]}'
X = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}
INFER = json.dumps({"inputs": [X], "parameters": {}}).encode()


async def ask(worker: Worker, raw: bytes) -> Response:
    client = worker.connect()
    client.send(raw)
    return await client.answer()


def reason(body: bytes) -> str:
    return str(json.loads(body)["reason"])


def test_a_client_over_its_quota_is_told_when_to_come_back(worker: Worker) -> None:
    worker.admission = AdmissionSettings(quota_requests_per_s=0.1, quota_burst=2)

    async def scenario() -> None:
        statuses = []
        for key in ("a", "a", "a", "b"):
            answer = await ask(
                worker, post("/predict/m", b'{"instances": [{"x": 1}]}', f"x-api-key: {key}", request_id=None)
            )
            statuses.append((answer.status, answer["retry-after"]))
        assert statuses == [(200, None), (200, None), (429, "10"), (200, None)]

    worker.run(scenario)


def test_low_priority_is_refused_first(worker: Worker) -> None:
    async def scenario() -> None:
        worker.pipeline.gate.limits = (10, 10, 0)
        for priority, status in (("high", 200), ("normal", 200), ("low", 503)):
            answer = await ask(
                worker, post("/predict/m", b'{"instances": [{"x": 1}]}', f"x-request-priority: {priority}")
            )
            assert answer.status == status
        assert reason(answer.body) == "concurrency_limit"
        assert worker.notes.sheds == [("concurrency_limit", 2)]

    worker.run(scenario)


def test_a_full_worker_refuses_without_reading_the_rows(worker: Worker) -> None:
    async def scenario() -> None:
        worker.pipeline.gate.limits = (0, 0, 0)
        for _ in range(2):
            answer = await ask(worker, post("/predict/m", b"these are no rows", request_id=None))
            assert (answer.status, reason(answer.body)) == (503, "concurrency_limit")
            assert answer["retry-after"] == "1"
        assert worker.pipeline.gate.in_flight == 0

    worker.run(scenario)


def test_a_deadline_is_kept_while_a_run_goes_on(worker: Worker) -> None:
    async def scenario() -> None:
        answer = await ask(worker, post("/predict/slow", SLOW, "x-request-deadline-ms: 20"))
        assert (answer.status, reason(answer.body)) == (504, "deadline")
        worker.slow.open()
        await passes()
        assert (await ask(worker, post("/predict/m"))).status == 200

    worker.run(scenario)


def test_what_cannot_be_answered_in_time_is_refused_at_once(worker: Worker) -> None:
    worker.slow.curve = RateCurve.of([(1, 5.0), (128, 640.0)])

    async def scenario() -> None:
        first, second = worker.connect(), worker.connect()
        first.send(post("/predict/slow", SLOW))
        await worker.slow.until_running()
        second.send(post("/predict/slow", SLOW, "x-request-deadline-ms: 1000"))
        answer = await second.answer()
        assert (answer.status, reason(answer.body)) == (503, "deadline_unreachable")
        worker.slow.open()
        assert (await first.answer()).status == 200

    worker.run(scenario)


def test_the_open_inference_protocol_has_its_own_words_for_haste(worker: Worker) -> None:
    def infer(**parameters: int) -> bytes:
        tensor = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}
        return post("/v2/models/slow/infer", {"inputs": [tensor], "parameters": parameters})

    async def scenario() -> None:
        assert (await ask(worker, infer(timeout=20_000))).status == 504
        worker.pipeline.gate.limits = (10, 10, 0)
        assert (await ask(worker, infer(priority=7))).status == 503
        assert (await ask(worker, infer(priority=-1))).status == 400
        worker.slow.open()

    worker.run(scenario)


def test_haste_that_is_no_haste_is_a_bad_request(worker: Worker) -> None:
    async def scenario() -> None:
        for line in ("x-request-deadline-ms: soon", "x-request-deadline-ms: 0", "x-request-priority: mine"):
            assert (await ask(worker, post("/predict/m", b'{"instances": [{"x": 1}]}', line))).status == 400

    worker.run(scenario)


def test_a_number_past_all_integers_is_a_bad_request_and_leaves_nothing_in_flight(worker: Worker) -> None:
    async def scenario() -> None:
        body = INFER.replace(b'"parameters": {}', b'"parameters": {"timeout": 1' + b"0" * 320 + b"}")
        assert (await ask(worker, post("/v2/models/slow/infer", body))).status == 400
        assert worker.pipeline.gate.in_flight == 0

    worker.run(scenario)


def test_a_client_over_its_quota_is_refused_before_its_body_has_come(worker: Worker) -> None:
    worker.admission = AdmissionSettings(quota_requests_per_s=0.1, quota_burst=1)

    async def scenario() -> None:
        assert (await ask(worker, post(request_id=None))).status == 200
        assert (await ask(worker, post(request_id=None)[:-1])).status == 429

    worker.run(scenario)


def test_a_deadline_that_passes_in_the_queue_says_that_no_model_was_asked(worker: Worker) -> None:
    async def scenario() -> None:
        first, second = worker.connect(), worker.connect()
        first.send(post("/predict/slow", SLOW))
        await worker.slow.until_running()
        second.send(post("/predict/slow", SLOW, "x-request-deadline-ms: 20"))
        answer = await second.answer()
        assert (answer.status, reason(answer.body)) == (504, "deadline_passed")
        assert worker.notes.sheds == [("deadline_passed", 1)]
        worker.slow.open()
        assert (await first.answer()).status == 200

    worker.run(scenario)


def test_blanks_around_a_key_make_no_other_client(worker: Worker) -> None:
    worker.admission = AdmissionSettings(quota_requests_per_s=0.1, quota_burst=1)

    async def scenario() -> None:
        for line, status in (("x-api-key: a", 200), ("x-api-key:  a  ", 429), ("x-api-key: a\t", 429)):
            assert (await ask(worker, post("/predict/m", b'{"instances": [{"x": 1}]}', line))).status == status

    worker.run(scenario)
