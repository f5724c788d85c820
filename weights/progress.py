"""What a caller may see of a pull or a verification while it runs."""


class Progress:
    """Told of each file and its bytes. Does nothing by itself."""

    def begin(self, activity: str, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        """A file is begun, or begun again with `done_bytes` of it there. `activity`: downloading, verifying."""

    def advance(self, count_bytes: int) -> None:
        """So many more bytes of that file are done."""

    def note(self, sentence: str) -> None:
        """Something that takes time, or went wrong and is tried again."""

    def arrived(self, name: str, size_bytes: int) -> None:
        """A file is complete, verified, and under its final name."""
