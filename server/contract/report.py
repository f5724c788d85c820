"""The adjustments of one request as they are found, each with the name that was sent."""

from server.contract.adjustments import Adjustment
from server.contract.aliases import SentRequest
from server.contract.errors import FieldError, Loc, RequestInvalid


class Report:
    def __init__(self, sent: SentRequest) -> None:
        self._sent = sent
        self._found: list[tuple[Loc, Adjustment]] = []

    def add(self, field: str, used: object, reason: str, *, path: Loc | None = None) -> None:
        """`field` was not used as it was sent. `path`: where its value is, when that is not simply `field`."""
        path = path or (field,)
        self.add_sent(self._sent.as_sent(path), Adjustment(field, self._sent.value_at(path), used, reason))

    def add_sent(self, loc: Loc, adjustment: Adjustment) -> None:
        self._found.append((loc, adjustment))

    @property
    def adjustments(self) -> tuple[Adjustment, ...]:
        return tuple(adjustment for _, adjustment in self._found)

    def raise_if_any(self) -> None:
        """Strict handling: what would be adjusted is refused."""
        if self._found:
            raise RequestInvalid([FieldError(loc, _refusal(found), "adjustment_refused") for loc, found in self._found])


def _refusal(adjustment: Adjustment) -> str:
    return f"Would be adjusted, which handling=strict refuses: {adjustment.reason}"
