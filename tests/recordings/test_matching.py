from typing import Any

from server.recordings.exchange import Exchange, RecordedAnswer, RecordedRequest
from server.recordings.matching import Recordings


def request(content: Any = None, method: str = "POST", path: str = "/generate", **fields: Any) -> RecordedRequest:
    kind: dict[str, Any] = {"query": [], "headers": [], "body": None} | fields
    return RecordedRequest(method=method, path=path, content=content, **kind)


def recordings(*requests: RecordedRequest) -> Recordings:
    """Return the recordings of these requests; the answer's status is the number of the request."""
    answers = [RecordedAnswer(status=number, headers=[], body=None, end="complete") for number in range(len(requests))]
    return Recordings([Exchange(request=asked, answer=given) for asked, given in zip(requests, answers, strict=True)])


def status(found: Exchange | None) -> int | None:
    return found.answer.status if found else None


def test_equal_requests_get_their_answers_in_turn_and_then_the_last_one() -> None:
    poll = request(method="GET", path="/v1/videos/1")
    known = recordings(poll, request(), poll, poll)

    assert [status(known.next(poll)) for _ in range(5)] == [0, 2, 3, 3, 3]
    assert status(known.next(request())) == 1


def test_the_headers_that_decide_the_answer_are_compared() -> None:
    known = recordings(request(headers=[("Prefer", "handling=strict"), ("User-Agent", "one")]))

    assert status(known.next(request(headers=[("prefer", "handling=strict"), ("User-Agent", "other")]))) == 0
    assert known.next(request(headers=[])) is None


def test_the_body_of_a_get_does_not_count() -> None:
    assert status(recordings(request(method="GET")).next(request({"json": {}}, method="GET"))) == 0


def test_a_request_whose_body_is_only_partly_recorded_is_never_equal() -> None:
    assert recordings(request(is_complete=False)).next(request()) is None


def test_a_miss_names_each_difference_from_the_nearest() -> None:
    known = recordings(
        request({"json": {"prompt": "a fox", "seed": 1, "keyframes": [{"frame_idx": 0}]}}, query=[("limit", "2")]),
        request({"json": {"prompt": "another prompt", "seed": 2, "fps": 30}}),
    )
    asked = request(
        {"json": {"prompt": "a fox", "seed": True, "keyframes": [{"frame_idx": 8}]}}, query=[("limit", "3")]
    )

    assert known.explain_miss(asked) == (
        "This POST /generate is not recorded. The nearest recording is number 1: "
        'query.limit is ["3"], recorded ["2"]; seed is true, recorded 1; keyframes.0.frame_idx is 8, recorded 0.'
    )


def test_a_miss_shows_where_long_texts_part() -> None:
    known = recordings(request({"json": {"prompt": "x" * 500 + "a fox"}}))

    explained = known.explain_miss(request({"json": {"prompt": "x" * 500 + "a wolf"}}))
    assert 'xxa wolf", recorded ...xxx' in explained
    assert len(explained) < 300


def test_a_miss_with_an_empty_recording() -> None:
    assert recordings().explain_miss(request()) == "POST /generate is not recorded. Nothing is."
