"""Log one line for each request."""

import logging
from dataclasses import dataclass

from server.edge.exchange import Exchange
from server.process.logs import FIELDS
from server.telemetry.log_fields import request_fields

log = logging.getLogger("ltx23.request")


@dataclass(frozen=True)
class RequestLog:
    with_prompts: bool = False

    def __call__(self, exchange: Exchange) -> None:
        fields = request_fields(exchange, with_prompt=self.with_prompts)
        fields = {name: value for name, value in fields.items() if value is not None}
        log.info("answered", extra={FIELDS: fields})
