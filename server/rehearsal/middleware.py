"""The middleware that lets answers fail on purpose. It stands inside the edge: keys and limits hold as ever."""

import asyncio
from contextlib import suppress
from functools import partial
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.answers.errors import AsciiJSONResponse
from server.contract.errors import RequestInvalid
from server.edge.connection import cut
from server.edge.error_body import error_body
from server.edge.paths import route_path
from server.rehearsal.fault import Fault, FaultError
from server.rehearsal.plan import HEADER, Asked, Plan
from server.rehearsal.spoil import spoil
from server.requests.body import UnsupportedMediaType, read_body

# In every answer of a rehearsal: the fault, or REAL.
ANSWER_HEADER = "X-LTX-Rehearsal"
REAL = "real"
REASONS = {
    429: "the queue is full",
    500: "the worker process ended while it rendered this clip",
    503: "the model is loading",
}


class Rehearsal:
    """Answer as `plan` says. A fault begins when the whole body has arrived, as a real one would."""

    def __init__(self, app: ASGIApp, plan: Plan) -> None:
        self._app, self._plan = app, plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Asked(scope["method"], route_path(scope), Headers(scope=scope), scope["state"].get("key_id"))
        try:
            prompt = ""
            if self._plan.needs_prompt(asked):
                messages = await _read_messages(receive)
                receive = _replay(messages, receive)
                prompt = await _read_prompt(scope, _replay(messages, receive))
            fault = self._plan.fault(asked, prompt)
        except FaultError as exc:
            await _error(scope, 400, f"{HEADER}: {exc}")(scope, receive, _marked(send, REAL))
            return
        if fault is None:
            await self._app(scope, receive, _marked(send, REAL))
        else:
            scope["state"]["rehearsed"] = fault.text
            await self._fail(fault, scope, receive, _marked(send, fault.text))

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        async def wait(seconds: float) -> bool:
            return await _has_left_within(seconds, receive)

        messages = await _read_messages(receive)
        if messages[-1]["type"] == "http.disconnect" or (fault.slow_s and await wait(fault.slow_s)):
            return
        if fault.drop == "connection":
            cut(scope)
        elif fault.status is not None:
            headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            await _error(scope, fault.status, _reason(fault.status), headers)(scope, receive, send)
        else:
            await self._app(scope, _replay(messages, receive), spoil(send, fault, partial(cut, scope), wait))


async def _read_messages(receive: Receive) -> list[Message]:
    """Return the messages of the body, until its end or until the client has left."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = messages[::-1]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


async def _read_prompt(scope: Scope, receive: Receive) -> str:
    """Return the prompt, or an empty text if there is none; the application reports what is wrong with it."""
    try:
        fields = (await read_body(Request(scope, receive))).fields
    except (RequestInvalid, UnsupportedMediaType, ClientDisconnect):
        return ""
    prompt = fields.get("prompt")
    return prompt if isinstance(prompt, str) else ""


async def _has_left_within(seconds: float, receive: Receive) -> bool:
    """Wait, but no longer than the client does; return whether it has left. Its body must have been read."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False


def _marked(send: Send, value: str) -> Send:
    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[ANSWER_HEADER] = value
        await send(message)

    return send_marked


def _reason(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = f"status {status}"
    return f"{REASONS.get(status, phrase)} (rehearsed)"


def _error(scope: Scope, status: int, detail: str, headers: dict[str, str] | None = None) -> AsciiJSONResponse:
    return AsciiJSONResponse(error_body(status, detail, route_path(scope)), status, headers)
