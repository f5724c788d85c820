"""Report the progress of a pull or a verification."""

from collections.abc import Mapping


class Progress:
    """Callbacks for each file and its bytes; the base class ignores them."""

    def expect(self, total_bytes: int, arrived_bytes: Mapping[str, int]) -> None:
        """The files to fetch are known. arrived_bytes: what an earlier pull left of each, by name."""

    def begin(self, activity: str, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        """A file begins, or begins again with `done_bytes` of it present. `activity`: downloading, verifying."""

    def advance(self, count_bytes: int) -> None:
        """`count_bytes` more of that file are done."""

    def note(self, sentence: str) -> None:
        """Something takes time, or failed and is retried."""

    def arrived(self, name: str, size_bytes: int) -> None:
        """A file is complete, verified, and has its final name."""
