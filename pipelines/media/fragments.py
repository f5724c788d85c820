"""Write a clip so that it can be played while it grows: mp4 in fragments, webm in live clusters.

Nothing is encoded for it: the packets of the plain file are written a second time.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from pipelines.media.codecs import FORMATS
from pipelines.spec import Container

# Libav writes Opus later by what it begins with, and sorts packets by their times before that. Browsers want them in
# the order of the times in the file. So the picture, of which webm has only the pts, is sorted as if it were earlier.
OPUS_DELAY_MS = 7


@dataclass(frozen=True)
class Fragments:
    """The file that a clip is also written to, in fragments.

    on_growth: called with the size of the file whenever it has grown; what is in it by then stays as it is.
    """

    path: Path
    on_growth: Callable[[int], None] = lambda size_bytes: None


class FragmentWriter:
    """Writes packets of the streams of a plain container, which has to be open."""

    def __init__(self, plain: Any, container: Container, fragments: Fragments) -> None:
        self._container_type, self._fragments, self._size_bytes = container, fragments, 0
        # A reader may still hold a file of this name that was left there.
        fragments.path.unlink(missing_ok=True)
        self._container = av.open(
            os.fspath(fragments.path.absolute()),
            "w",
            format=container.value,
            container_options=FORMATS[container].fragment_options,
        )
        for stream in plain.streams:
            self._container.add_stream_from_template(stream)
        # Of a file that is read, it has the tags of its container as well.
        tags = {name: text for name, text in plain.metadata.items() if name.lower() == "comment"}
        self._container.metadata.update(tags)
        self._container.start_encoding()

    def write(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            if self._container_type is Container.WEBM and packet.stream.type == "video":
                packet.dts -= OPUS_DELAY_MS
            self._container.mux(packet)
        self._report()

    def close(self) -> None:
        self._container.close()
        self._report()

    def _report(self) -> None:
        size_bytes = self._fragments.path.stat().st_size
        if size_bytes > self._size_bytes:
            self._size_bytes = size_bytes
            self._fragments.on_growth(size_bytes)


def write_fragments(clip: Path, container: Container, path: Path) -> None:
    """Write a finished clip once more, in fragments."""
    with av.open(os.fspath(clip)) as plain:
        writer = FragmentWriter(plain, container, Fragments(path))
        # The packet that marks the end of a stream has no time.
        writer.write(packet for packet in plain.demux() if packet.dts is not None)
        writer.close()
