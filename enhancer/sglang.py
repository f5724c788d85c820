"""Ask a language model behind an OpenAI-compatible server, such as SGLang.

The HTTP client is the one that huggingface_hub brings. It ignores proxies and certificates of the environment: the
server is a neighbour, named by its address.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from enhancer.errors import BadAnswer, Busy, EnhancerError, OptionError, Refused, TimedOut, Unavailable
from enhancer.messages import DELIMITERS, Message

log = logging.getLogger("ltx23.enhancer")

NAME = "the prompt enhancer"

# An answer of 400 tokens is 3 KB with everything around it.
MAX_ANSWER_BYTES = 256 * 1024

# One line that opens like prose. Not a JSON schema: a model that means to quote somebody closes the JSON string so, and
# nothing can follow then. A server that knows no `regex` ignores it, and its answer is cleaned.
ONE_PARAGRAPH = r"[^ \t\n\r*#>`{\-][^\n\r]*"

# SGLang has both; other servers have only the second, and SGLang's generates a token to answer it.
READY_PATHS = ("/ready", "/health")


@dataclass(frozen=True)
class SglangOptions:
    """url: the server's address, with or without `/v1`. timeout_s: for a whole call: connecting, a retry and reading.

    max_tokens: 200 English words are about 270 of Llama's.
    """

    url: str
    model: str = "meta-llama/Llama-3.2-3B-Instruct"
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    max_tokens: int = 400


@dataclass(frozen=True)
class Completion:
    """is_cut: `max_tokens` stopped the model before it had finished."""

    text: str
    is_cut: bool = False


class Sglang:
    """A client that connects on its first call. Raises OptionError if an option is wrong."""

    def __init__(self, options: SglangOptions) -> None:
        self._options = options
        self._http = httpx2.AsyncClient(
            base_url=resolve_base_url(options.url),
            headers={"Accept-Encoding": "identity", "Content-Type": "application/json"} | _authorization(options),
            timeout=None,
            trust_env=False,
        )

    @property
    def model(self) -> str:
        return self._options.model

    async def complete(self, messages: Sequence[Message]) -> Completion:
        """Return the model's answer. Raises EnhancerError."""
        # A lone surrogate has no UTF-8, and SGLang refuses it escaped, too.
        body = json.dumps(self._request(messages), ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return parse_completion(await self._post(body))
        except TimeoutError as exc:
            raise TimedOut(f"{NAME} took longer than {self._options.timeout_s:g} s") from exc

    async def check_ready(self) -> None:
        """Raise EnhancerError unless the server says that it can answer."""
        try:
            async with asyncio.timeout(self._options.timeout_s):
                _raise_for_status(await self._get_readiness())
        except TimeoutError as exc:
            raise TimedOut(f"{NAME} does not say within {self._options.timeout_s:g} s that it is ready") from exc
        except httpx2.RequestError as exc:
            raise Unavailable(f"{NAME} does not answer") from exc

    async def aclose(self) -> None:
        await self._http.aclose()

    def _request(self, messages: Sequence[Message]) -> dict[str, Any]:
        return {
            "model": self._options.model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": self._options.max_tokens,
            # Not a line break: a server without `regex` may begin with an introductory line.
            "stop": list(DELIMITERS),
            "regex": ONE_PARAGRAPH,
        }

    async def _post(self, body: bytes) -> bytes:
        try:
            return await self._send(body)
        except httpx2.RequestError as exc:
            log.info("trying again after a failed connection: %s", exc or type(exc).__name__)
        try:
            return await self._send(body)
        except httpx2.RequestError as exc:
            log.warning("the connection failed twice: %s", exc or type(exc).__name__)
            raise Unavailable(f"{NAME} does not answer") from exc

    async def _send(self, body: bytes) -> bytes:
        async with self._http.stream("POST", "/v1/chat/completions", content=body) as response:
            _raise_for_status(response.status_code)
            answer = bytearray()
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise BadAnswer(f"{NAME} answered without end")
            return bytes(answer)

    async def _get_readiness(self) -> int:
        """Return the status of the first path that the server has."""
        status = 404
        for path in READY_PATHS:
            async with self._http.stream("GET", path) as response:
                status = response.status_code
            if status != 404:
                break
        return status


def resolve_base_url(url: str) -> str:
    """Return the URL without a trailing slash and without `/v1`. Raises OptionError."""
    base = url.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    try:
        parsed = httpx2.URL(base)
    except httpx2.InvalidURL as exc:
        raise OptionError(f"url: {url!r} is not a URL: write http://HOST:PORT") from exc
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise OptionError(f"url: {url!r} is not an HTTP address: write http://HOST:PORT")
    return base


def parse_completion(data: bytes) -> Completion:
    """Parse the answer. Raises BadAnswer."""
    try:
        choice = json.loads(data)["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as exc:
        raise BadAnswer(f"{NAME} sent an invalid completion") from exc
    if not isinstance(text, str) or not text.strip():
        raise BadAnswer(f"{NAME} answered with no text")
    return Completion(text, is_cut=choice.get("finish_reason") == "length")


def _authorization(options: SglangOptions) -> dict[str, str]:
    if not options.api_key:
        return {}
    if not (options.api_key.isascii() and options.api_key.isprintable()):
        raise OptionError("api_key: it holds characters that no header can carry: write it in printable ASCII")
    return {"Authorization": f"Bearer {options.api_key}"}


def _raise_for_status(status: int) -> None:
    if status == 200:
        return
    default = (Refused, "refused the request") if 400 <= status < 500 else (Unavailable, "failed")
    error, what = _STATUSES.get(status, default)
    raise error(f"{NAME} {what} (status {status})")


_STATUSES: Mapping[int, tuple[type[EnhancerError], str]] = {
    401: (Refused, "does not accept this server's key"),
    403: (Refused, "does not accept this server's key"),
    429: (Busy, "has too many requests"),
    # SGLang's status for a full queue, and for a model that still loads.
    503: (Busy, "has too many requests, or is starting"),
}
