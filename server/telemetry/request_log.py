"""Log one line for each request."""

import logging
from dataclasses import dataclass

from server.edge.exchange import Exchange
from server.process.logs import FACTS
from server.telemetry.facts import request_facts

log = logging.getLogger("ltx23.request")


@dataclass(frozen=True)
class RequestLog:
    with_prompts: bool = False

    def __call__(self, exchange: Exchange) -> None:
        facts = request_facts(exchange, with_prompt=self.with_prompts)
        facts = {name: value for name, value in facts.items() if value is not None}
        log.info("answered", extra={FACTS: facts})
