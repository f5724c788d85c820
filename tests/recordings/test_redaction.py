import pytest

from server.recordings.redaction import recorded_answer_headers, recorded_query, recorded_request_headers


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "COOKIE", "Proxy-Authorization"])
def test_a_key_is_replaced(name: str) -> None:
    assert recorded_request_headers([(name.encode(), b"secret")]) == [(name, "removed")]


def test_headers_of_the_connection_and_cookies_are_left_out() -> None:
    headers = [
        (b"Content-Type", b"video/mp4"),
        (b"Set-Cookie", b"session=secret"),
        (b"Connection", b"close, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Keep-Alive", b"timeout=5"),
    ]

    assert recorded_answer_headers(headers) == [("Content-Type", "video/mp4")]


def test_signed_parameters_are_left_out_of_a_query() -> None:
    query = b"variant=thumbnail&expires=9&signature=secret&X-Amz-Credential=secret&api_key=secret&empty="

    assert recorded_query(query) == [("variant", "thumbnail"), ("empty", "")]
