"""Decide which requests of a rehearsal fail, and how."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from server.rehearsal.counts import Counts
from server.rehearsal.fault import Fault, FaultError, parse_fault
from server.rehearsal.rules import Rules, RulesError
from server.rehearsal.watched_rules import WatchedRules
from server.settings import Settings, setting_error

HEADER = "X-LTX-Rehearse"
IDEMPOTENCY_KEY = "Idempotency-Key"
WITH_WEIGHTS = (
    "lets answers fail, and LTX23_CHECKPOINT / --checkpoint names real weights: leave one of them out, or set "
    "LTX23_REHEARSAL_FORCE=1 / --rehearsal-force"
)


@dataclass(frozen=True)
class Asked:
    """A request, as far as a fault depends on it. owner: the id of its API key."""

    method: str
    path: str
    headers: Headers
    owner: str | None = None


class Plan:
    """The faults of all requests: the header's, or without a header the file's."""

    def __init__(self, rules: WatchedRules | None = None) -> None:
        self._rules, self._counts = rules, Counts()

    def needs_prompt(self, asked: Asked) -> bool:
        """Return whether the fault depends on the prompt. Raises FaultError."""
        if HEADER in asked.headers or self._rules is None:
            return False
        return self._current(self._rules).need_prompt(asked.method, asked.path)

    def fault(self, asked: Asked, prompt: str = "") -> Fault | None:
        """Return the fault of a request, or None if its answer is real. Raises FaultError."""
        if HEADER in asked.headers:
            return self._from_header(asked)
        if self._rules is None:
            return None
        return self._current(self._rules).fault(asked.method, asked.path, prompt)

    def _current(self, rules: WatchedRules) -> Rules:
        try:
            return rules.current
        except RulesError as exc:
            raise FaultError(str(exc)) from exc

    def _from_header(self, asked: Asked) -> Fault | None:
        text = "; ".join(asked.headers.getlist(HEADER))
        fault = parse_fault(text)
        key = fault.key or asked.headers.get(IDEMPOTENCY_KEY)
        if fault.is_limited and key is None:
            part = "for" if fault.times is None else "times"
            raise FaultError(f"{part}: needs key=NAME, or an {IDEMPOTENCY_KEY} header, to know which requests to count")
        return fault if self._counts.happens(fault, (asked.owner, fault.text, key)) else None


def create_plan(settings: Settings) -> Plan | None:
    """Return the plan that the settings ask for, or None without a rehearsal. Raises SettingsError."""
    if not settings.rehearsal:
        if settings.rehearsal_file is not None:
            raise setting_error("rehearsal_file", "needs LTX23_REHEARSAL=1 / --rehearsal, which lets answers fail")
        return None
    if settings.checkpoint is not None and not settings.rehearsal_force:
        raise setting_error("rehearsal", WITH_WEIGHTS)
    return Plan(_watch(settings))


def _watch(settings: Settings) -> WatchedRules | None:
    """Return the rules of the file, if there is one. Raises SettingsError if it cannot be used now."""
    if settings.rehearsal_file is None:
        return None
    rules = WatchedRules(settings.rehearsal_file)
    try:
        _ = rules.current
    except RulesError as exc:
        raise setting_error("rehearsal_file", str(exc)) from exc
    return rules
