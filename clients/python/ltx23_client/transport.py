"""Perform the actions of the client's logic with httpx."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from ltx23_client.actions import Action, Call, Close, Emit, Read, Request, Response, Send, Steps, Wait
from ltx23_client.errors import ConnectionFailed

T = TypeVar("T")
Listener = Callable[[Any], object]
UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


@dataclass(frozen=True)
class Result(Generic[T]):
    """What an operation returns, after what it has emitted."""

    value: T


class Left(BaseException):
    """The caller has left an iteration. In place of GeneratorExit, after which a generator may ask for nothing."""


class SyncTransport:
    def __init__(self, http: httpx.Client, address: str, headers: dict[str, str]) -> None:
        self._http, self._address, self._headers = http, address, headers

    def run(self, steps: Steps[T], listener: Listener | None = None) -> T:
        """Perform an operation. listener: called with what it emits."""
        with closing(self._values(steps)) as values:
            for value in values:
                if isinstance(value, Result):
                    result: T = value.value
                    return result
                if listener is not None:
                    listener(value)
        raise AssertionError("an operation ends with its result")

    def iterate(self, steps: Steps[Any]) -> Iterator[Any]:
        with closing(self._values(steps)) as values:
            for value in values:
                if not isinstance(value, Result):
                    yield value

    def close(self) -> None:
        self._http.close()

    def _values(self, steps: Steps[T]) -> Generator[Any, None, None]:
        """Yield what an operation emits, then its result. Whatever ends this early is raised inside the operation."""
        action = _advance(steps, None, None)
        while not isinstance(action, Result):
            reply: Any = None
            error: BaseException | None = None
            try:
                if isinstance(action, Emit):
                    yield action.value
                else:
                    reply = self._perform(action)
            except GeneratorExit:
                error = Left()
            except BaseException as exc:
                error = exc
            try:
                action = _advance(steps, reply, error)
            except Left:
                return
        yield action

    def _perform(self, action: Action) -> Any:
        match action:
            case Send(request, stays_open):
                return self._send(request, stays_open)
            case Read(stream):
                try:
                    return next(stream[1], b"")
                except httpx.RequestError as exc:
                    raise _failure(exc, self._address) from exc
            case Close(stream):
                stream[0].close()
            case Wait(seconds):
                time.sleep(seconds)
            case Call(function):
                return function()
        return None

    def _send(self, request: Request, stays_open: bool) -> Response:
        try:
            response = self._http.send(_build(self._http, self._address, self._headers, request), stream=True)
            if stays_open and response.is_success:
                return Response(response.status_code, _lower(response), stream=(response, response.iter_bytes()))
            with closing(response):
                return Response(response.status_code, _lower(response), response.read())
        except httpx.RequestError as exc:
            raise _failure(exc, self._address) from exc


class AsyncTransport:
    def __init__(self, http: httpx.AsyncClient, address: str, headers: dict[str, str]) -> None:
        self._http, self._address, self._headers = http, address, headers

    async def run(self, steps: Steps[T], listener: Listener | None = None) -> T:
        """Perform an operation. listener: called with what it emits."""
        async with aclosing(self._values(steps)) as values:
            async for value in values:
                if isinstance(value, Result):
                    result: T = value.value
                    return result
                if listener is not None:
                    listener(value)
        raise AssertionError("an operation ends with its result")

    async def iterate(self, steps: Steps[Any]) -> AsyncIterator[Any]:
        async with aclosing(self._values(steps)) as values:
            async for value in values:
                if not isinstance(value, Result):
                    yield value

    async def close(self) -> None:
        await self._http.aclose()

    async def _values(self, steps: Steps[T]) -> AsyncGenerator[Any, None]:
        """Yield what an operation emits, then its result. Whatever ends this early is raised inside the operation."""
        action = _advance(steps, None, None)
        while not isinstance(action, Result):
            reply: Any = None
            error: BaseException | None = None
            try:
                if isinstance(action, Emit):
                    yield action.value
                else:
                    reply = await self._perform(action)
            except GeneratorExit:
                error = Left()
            except BaseException as exc:
                error = exc
            try:
                action = _advance(steps, reply, error)
            except Left:
                return
        yield action

    async def _perform(self, action: Action) -> Any:
        match action:
            case Send(request, stays_open):
                return await self._send(request, stays_open)
            case Read(stream):
                try:
                    return await anext(stream[1], b"")
                except httpx.RequestError as exc:
                    raise _failure(exc, self._address) from exc
            case Close(stream):
                await stream[0].aclose()
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Call(function):
                return await asyncio.to_thread(function)
        return None

    async def _send(self, request: Request, stays_open: bool) -> Response:
        try:
            response = await self._http.send(_build(self._http, self._address, self._headers, request), stream=True)
            if stays_open and response.is_success:
                return Response(response.status_code, _lower(response), stream=(response, response.aiter_bytes()))
            async with aclosing(response):
                return Response(response.status_code, _lower(response), await response.aread())
        except httpx.RequestError as exc:
            raise _failure(exc, self._address) from exc


def _advance(steps: Steps[T], reply: Any, error: BaseException | None) -> Action | Result[T]:
    try:
        return steps.send(reply) if error is None else steps.throw(error)
    except StopIteration as stop:
        return Result(stop.value)


def _build(
    http: httpx.Client | httpx.AsyncClient, address: str, headers: dict[str, str], request: Request
) -> httpx.Request:
    return http.build_request(
        request.method,
        address + request.path,
        params=dict(request.query) or None,
        headers=headers | dict(request.headers),
        content=request.body,
    )


def _lower(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _failure(exc: httpx.RequestError, address: str) -> ConnectionFailed:
    reason = str(exc) or type(exc).__name__
    if isinstance(exc, UNREACHED):
        return ConnectionFailed(
            f"no server can be reached at {address} ({reason}): start one with `ltx23 serve`, or name its address in "
            "base_url or LTX23_SERVER",
            is_unreached=True,
        )
    return ConnectionFailed(f"the connection to {address} failed: {reason}")
