from collections.abc import Callable
from typing import Any

import pytest

from server.contract.errors import RequestInvalid
from server.contract.resolve import ResolvedRequest, resolve_request

DRAWN = 7

Resolve = Callable[..., ResolvedRequest]
Refuse = Callable[..., list[str]]


@pytest.fixture
def resolve() -> Resolve:
    def resolve(*, strict: bool = False, **fields: Any) -> ResolvedRequest:
        return resolve_request({"prompt": "a fox"} | fields, strict=strict, random_seed=lambda: DRAWN)

    return resolve


@pytest.fixture
def refuse(resolve: Resolve) -> Refuse:
    """Return a function that gives the dotted locations of a request's errors, without `body`."""

    def refuse(**fields: Any) -> list[str]:
        with pytest.raises(RequestInvalid) as caught:
            resolve(**fields)
        detail = caught.value.detail
        assert all(error.keys() == {"loc", "msg", "type"} and error["loc"][0] == "body" for error in detail)
        return [".".join(map(str, error["loc"][1:])) for error in detail]

    return refuse


@pytest.fixture
def adjusted(resolve: Resolve) -> Callable[..., list[tuple[str, object, object]]]:
    """Return a function that gives (field, requested, used) of every adjustment."""

    def adjusted(**fields: Any) -> list[tuple[str, object, object]]:
        return [(a.field, a.requested, a.used) for a in resolve(**fields).adjustments]

    return adjusted
