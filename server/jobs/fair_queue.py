"""A queue of owned items, such as jobs: first in, first out for each owner, and owners take turns."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Owned(Protocol):
    """An item that can be queued here."""

    @property
    def owner(self) -> str | None: ...


T = TypeVar("T", bound=Owned)


class FairQueue(Generic[T]):
    """One line for each owner; an owner who has just been served goes to the end."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str | None, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[T]:
        """Yield the items in the order in which they will be served if none is added or removed."""
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
        """Put an item that has already had its turn at the head of the queue."""
        self._lines.setdefault(item.owner, deque()).appendleft(item)
        self._lines.move_to_end(item.owner, last=False)

    def pop(self) -> T:
        """Remove and return the next item. Raises IndexError if the queue is empty."""
        if not self._lines:
            raise IndexError("nothing waits")
        owner, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[owner] = line
        return item

    def remove(self, item: T) -> bool:
        """Remove the item and return True, or return False if it is not in the queue."""
        line = self._lines.get(item.owner, deque())
        if item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[item.owner]
        return True

    def clear(self) -> list[T]:
        """Remove all items and return them in the order in which they would have been served."""
        items = list(self)
        self._lines.clear()
        return items
