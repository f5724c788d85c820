"""Read the body of a request to /v1/videos, with the names of POST /generate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import Request

from server.answers.clip import MODEL_ID
from server.contract.adjustments import Adjustment
from server.contract.errors import RequestInvalid, relocated
from server.contract.names.openai import read_openai_names
from server.requests.body import RequestBody, read_body
from server.requests.context import context_of

ONE_MODEL = "this server has no other model"


@asynccontextmanager
async def openai_body(request: Request) -> AsyncIterator[RequestBody]:
    """Read the body with the names of POST /generate. Errors inside the context name the fields as they were sent."""
    body, strict = await read_body(request), context_of(request).is_strict
    openai = await asyncio.to_thread(read_openai_names, body.fields, strict=strict)
    adjustments = openai.adjustments
    if openai.model not in (None, MODEL_ID):
        if strict:
            raise RequestInvalid.at(openai.paths["model"], f"Should be {MODEL_ID}: {ONE_MODEL}", "adjustment_refused")
        adjustments = (Adjustment("model", openai.model, MODEL_ID, ONE_MODEL), *adjustments)
    with relocated(openai.as_sent):
        yield replace(body, fields=openai.values, adjustments=adjustments)
