"""Decide which requests of a rehearsal fail, and how."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from server.rehearsal.counts import Counts
from server.rehearsal.fault import Fault, FaultError, parse_fault
from server.rehearsal.rules import RuleFile, Rules, RulesError, read_rules
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

    def __init__(self, file: RuleFile | None = None, counts: Counts | None = None) -> None:
        self._counts = counts or Counts()
        self._rules = Rules(file, self._counts) if file else None

    def needs_prompt(self, asked: Asked) -> bool:
        has_rule = self._rules is not None and self._rules.need_prompt(asked.method, asked.path)
        return has_rule and HEADER not in asked.headers

    def fault(self, asked: Asked, prompt: str = "") -> Fault | None:
        """Return the fault of a request, or None if its answer is real. Raises FaultError."""
        if HEADER in asked.headers:
            return self._from_header(asked)
        return self._rules.fault(asked.method, asked.path, prompt) if self._rules else None

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
    return Plan(_read(settings))


def _read(settings: Settings) -> RuleFile | None:
    if settings.rehearsal_file is None:
        return None
    try:
        return read_rules(settings.rehearsal_file)
    except RulesError as exc:
        raise setting_error("rehearsal_file", str(exc)) from exc
