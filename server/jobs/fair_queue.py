"""Items that wait, such as jobs: those of one owner in their order, owners by turns."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Owned(Protocol):
    """What can wait here."""

    @property
    def owner(self) -> str | None: ...


T = TypeVar("T", bound=Owned)


class FairQueue(Generic[T]):
    """A line for each owner; who has just been served goes to the end of the owners."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str | None, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[T]:
        """In the order in which they will be served if none comes or goes."""
        lines = deque(map(deque, self._lines.values()))
        while lines:
            line = lines.popleft()
            yield line.popleft()
            if line:
                lines.append(line)

    def held_by(self, owner: str | None) -> int:
        return len(self._lines.get(owner, ()))

    def push(self, item: T) -> None:
        self._lines.setdefault(item.owner, deque()).append(item)

    def push_front(self, item: T) -> None:
        """It has had its turn, and comes before everyone."""
        self._lines.setdefault(item.owner, deque()).appendleft(item)
        self._lines.move_to_end(item.owner, last=False)

    def pop(self) -> T:
        """Raises IndexError when none waits."""
        if not self._lines:
            raise IndexError("nothing waits")
        owner, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[owner] = line
        return item

    def remove(self, item: T) -> bool:
        """Whether it was here."""
        line = self._lines.get(item.owner, deque())
        if item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[item.owner]
        return True

    def clear(self) -> list[T]:
        """All of them, in the order of their turns; none waits any more."""
        items = list(self)
        self._lines.clear()
        return items
