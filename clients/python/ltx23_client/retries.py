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


@dataclass
class Policy:
    """retry_s: for how long to repeat a request that fails. has_answered: the server did, to this client."""

    retry_s: float
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

    def pause_s(self, error: APIError | ConnectionFailed) -> float | None:
        """Return how long to wait after this error, or None to give up."""
        limit_s = self._policy.retry_s
        if isinstance(error, ConnectionFailed):
            asked = None
            if error.is_unreached and not self._policy.has_answered:
                limit_s = min(limit_s, UNREACHED_S)
        elif error.status in RETRIED:
            asked = error.retry_after_s
        else:
            return None
        pause_s = self._grown() if asked is None else asked
        return pause_s if time.monotonic() - self._began + pause_s < limit_s else None

    def _grown(self) -> float:
        """Return a pause that is twice as long each time, with chance so that clients do not come back together."""
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
        pause_s = patience.pause_s(failure)
        if pause_s is None:
            raise failure
        yield from wait(pause_s)
