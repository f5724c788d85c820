"""A finished clip."""

import builtins
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltx23_client.answers import Adjustment, Video
from ltx23_client.files import replacing


@dataclass(frozen=True)
class Clip:
    """The file, and the video of the server that it is. `video` has everything else that is known about it."""

    bytes: builtins.bytes = field(repr=False)
    video: Video

    @property
    def seed(self) -> int:
        return self.video.seed

    @property
    def adjustments(self) -> tuple[Adjustment, ...]:
        """Return what was not used as it was sent."""
        return self.video.adjustments

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return what the clip was made with, by the names that a request has."""
        return self.video.parameters

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all, over one of this name. Return its path."""
        path = Path(path)
        with replacing(path) as file:
            file.write(self.bytes)
        return path
