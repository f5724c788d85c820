"""Read server-sent events, as the HTML standard defines them, from bytes that come in pieces."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    name: str
    data: str


class EventReader:
    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[ServerEvent]:
        """Return the events that are complete with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = (self._line(line.removesuffix(b"\r").decode(errors="replace")) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            event = ServerEvent(self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None
