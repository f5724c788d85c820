"""Answers that are spoilt while they are sent, message by message."""

import asyncio

import pytest
from starlette.types import Message

from server.rehearsal.fault import parse_fault
from server.rehearsal.spoil import spoil

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


class Client:
    """What arrives, and how long the server waited between the pieces."""

    def __init__(self, patience_s: float = 3600) -> None:
        self.pieces: list[bytes] = []
        self.waited_s, self.patience_s = 0.0, patience_s
        self.is_complete, self.is_cut = False, False

    async def receive(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.pieces.append(message["body"])
            self.is_complete = not message.get("more_body", False)

    async def wait(self, seconds: float) -> bool:
        self.waited_s += seconds
        return self.waited_s > self.patience_s

    def cut(self) -> None:
        self.is_cut = True


def send_spoilt(client: Client, fault: str, *bodies: bytes) -> None:
    async def send_all() -> None:
        send = spoil(client.receive, parse_fault(fault), client.cut, client.wait)
        await send(START)
        for number, body in enumerate(bodies, 1):
            await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})

    asyncio.run(send_all())


@pytest.mark.parametrize("bodies", [[b"x" * 1000], [b"x" * 10] * 100, [b"x" * 999, b"x", b""]], ids=len)
def test_a_trickle_takes_its_time_whatever_the_pieces_of_the_application(bodies: list[bytes]) -> None:
    client = Client()
    send_spoilt(client, "trickle=100", *bodies)

    assert b"".join(client.pieces) == b"x" * 1000
    assert max(map(len, client.pieces)) <= 10
    assert client.is_complete
    assert 9.8 < client.waited_s < 10.01


def test_a_trickle_ends_when_the_client_leaves() -> None:
    client = Client(patience_s=1)
    send_spoilt(client, "trickle=100", b"x" * 1000, b"x" * 1000)

    assert 100 <= len(b"".join(client.pieces)) <= 120


def test_a_stream_without_a_length_is_cut_in_its_first_piece() -> None:
    client = Client()
    send_spoilt(client, "drop=halfway", b"progress", b"done")

    assert (b"".join(client.pieces), client.is_complete, client.is_cut) == (b"prog", False, True)


def test_a_body_of_several_pieces_is_replaced_once() -> None:
    client = Client()
    send_spoilt(client, "corrupt=empty", b"one", b"two", b"three")

    assert (client.pieces, client.is_complete, client.is_cut) == ([b""], True, False)
