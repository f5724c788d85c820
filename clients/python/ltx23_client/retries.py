"""Send a request again while that is safe and may help: if there is no room, if the server is not ready, after a cut.

Every request of this client can be repeated: what makes a video carries an Idempotency-Key.
"""

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ltx23_client.actions import Request, Response, Steps, send, wait
from ltx23_client.errors import APIError, ConnectionFailed, api_error

# Too slow, no room, and what a server or the proxy before it says while it is away.
RETRIED = frozenset({408, 429, 502, 503, 504})
# For how long to try to reach a server that never answered: its address may be wrong.
UNREACHED_S = 3.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0

Attempt = Callable[[Request], Steps[Response]]


# Called with what went wrong and the seconds until the request is sent again.
OnRetry = Callable[[APIError | ConnectionFailed, float], object]


@dataclass
class Policy:
    """retry_s: for how long to repeat a request that fails. has_answered: the server did, to this client."""

    retry_s: float
    on_retry: OnRetry | None = None
    has_answered: bool = False


class Patience:
    """The pauses between the attempts of one request."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._began = time.monotonic()
        self._pause_s = FIRST_PAUSE_S

    def renew(self) -> None:
        """Begin again: the request has got on."""
        self._began, self._pause_s = time.monotonic(), FIRST_PAUSE_S

    def pause(self, error: APIError | ConnectionFailed) -> Steps[None]:
        """Wait until the request may be sent again. Raises the error if that is no use, or has lasted too long."""
        pause_s = self._pause_s_after(error)
        if time.monotonic() - self._began + pause_s >= self._limit_s(error):
            raise error
        if self._policy.on_retry is not None:
            self._policy.on_retry(error, pause_s)
        yield from wait(pause_s)

    def _limit_s(self, error: APIError | ConnectionFailed) -> float:
        """Return for how long to try. A request that is refused for what it is would be refused again."""
        if isinstance(error, APIError):
            return self._policy.retry_s if error.status in RETRIED else 0.0
        is_new = error.is_unreached and not self._policy.has_answered
        return min(self._policy.retry_s, UNREACHED_S) if is_new else self._policy.retry_s

    def _pause_s_after(self, error: APIError | ConnectionFailed) -> float:
        """Return the pause that the server asks for, or one that is twice as long each time.

        Chance keeps clients from coming back together.
        """
        if isinstance(error, APIError) and error.retry_after_s is not None:
            return error.retry_after_s
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s * random.uniform(0.8, 1.2)


def exchange(
    policy: Policy,
    request: Request,
    *,
    accepts: Collection[int] = (),
    final: Collection[int] = (),
    attempt: Attempt = send,
    patience: Patience | None = None,
) -> Steps[Response]:
    """Return the answer to a request. Raises APIError, ConnectionFailed.

    accepts: statuses from 400 on that are answers, too. final: statuses that are errors at once.
    """
    patience = patience or Patience(policy)
    while True:
        failure: APIError | ConnectionFailed
        try:
            response = yield from attempt(request)
        except ConnectionFailed as exc:
            failure = exc
        else:
            policy.has_answered = True
            if response.status < 400 or response.status in accepts:
                return response
            failure = api_error(response)
            if response.status in final:
                raise failure
        yield from patience.pause(failure)
