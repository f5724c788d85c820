"""Report the progress of a pull or a verification."""


class Progress:
    """Callbacks for each file and its bytes; the base class ignores them."""

    def begin(self, activity: str, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        """A file begins, or begins again with `done_bytes` of it present. `activity`: downloading, verifying."""

    def advance(self, count_bytes: int) -> None:
        """`count_bytes` more of that file are done."""

    def note(self, sentence: str) -> None:
        """Something takes time, or failed and is retried."""

    def arrived(self, name: str, size_bytes: int) -> None:
        """A file is complete, verified, and has its final name."""
