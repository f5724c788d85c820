"""What the client's logic asks a transport to do.

The logic is generators that yield actions and are sent their results. A transport, sync or async, performs the actions
and raises what goes wrong inside the generator. So each operation is written once.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """path: relative to the server's address, such as `v1/videos`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Response:
    """An answer. The names of `headers` are lower-case.

    stream: what `read` and `close` take, if the body was left open; `body` is empty then.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    stream: Any = None


@dataclass(frozen=True)
class Send:
    """Send a request and read its answer to the end. Raises ConnectionFailed.

    stays_open: leave the body of a success open.
    """

    request: Request
    stays_open: bool = False


@dataclass(frozen=True)
class Read:
    """Return the next bytes of an open body, or none at its end. Raises ConnectionFailed."""

    stream: Any


@dataclass(frozen=True)
class Close:
    stream: Any


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Call:
    """Call a function that reads or writes files. The async transport does it in a thread."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Emit:
    """Hand a value to the caller, who goes on when it wants the next one."""

    value: Any


Action: TypeAlias = Send | Read | Close | Wait | Call | Emit
Steps: TypeAlias = Generator[Action, Any, T]


def send(request: Request) -> Steps[Response]:
    response: Response = yield Send(request)
    return response


def open_body(request: Request) -> Steps[Response]:
    response: Response = yield Send(request, stays_open=True)
    return response


def read(response: Response) -> Steps[bytes]:
    data: bytes = yield Read(response.stream)
    return data


def close(response: Response) -> Steps[None]:
    if response.stream is not None:
        yield Close(response.stream)


def wait(seconds: float) -> Steps[None]:
    yield Wait(seconds)


def call(function: Callable[[], T]) -> Steps[T]:
    result: T = yield Call(function)
    return result


def emit(value: object) -> Steps[None]:
    yield Emit(value)
