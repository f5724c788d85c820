"""Count the calls to a running server, and record the answers that are wrong."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import requests

from benchmarks.growth import Growth, Measured

# Every other status of 500 and above is a fault of the server, whatever the request.
ALLOWED_FAILURES = frozenset({503, 504})


@dataclass
class Fuzzed:
    """Answers by family and status; `wrong` describes each answer that is wrong."""

    server: Measured
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    growth: Growth = field(default_factory=Growth)
    calls: int = 0

    def sample(self) -> None:
        self.growth.sample(self.server, self.calls)

    def record(self, family: str, what: str, send: Callable[[], "httpx.Response | requests.Response"]) -> None:
        """Send a request and record its answer. `what` describes the request."""
        self.calls += 1
        try:
            response = send()
        except (httpx.TransportError, requests.ConnectionError, requests.Timeout) as exc:
            self.wrong.append(f"{family}: no answer ({exc!r}) to {what}")
            return
        self.answers[family, response.status_code] += 1
        fault = fault_of(response)
        if fault:
            self.wrong.append(f"{family}: {fault}, to {what}")


def fault_of(response: "httpx.Response | requests.Response") -> str | None:
    status = response.status_code
    if status >= 500 and status not in ALLOWED_FAILURES:
        return f"answered {status}: {response.text[:200]}"
    if status == 422:
        detail = response.json().get("detail")
        if not isinstance(detail, list) or not all({"loc", "msg", "type"} <= error.keys() for error in detail):
            return f"a 422 without a list of errors: {response.text[:200]}"
    return None
