"""The real worker. It notes the thread that prepares an image in the image's folder, in `IMAGE.threads`."""

import sys
import threading
from collections.abc import Collection

from pipelines.geometry import LatentGrid
from pipelines.ltx import pipeline
from pipelines.ltx.conditioning import Picture, prepare_picture
from pipelines.spec import Keyframe
from server.worker import main as worker


def prepare_and_note(keyframe: Keyframe, grids: Collection[LatentGrid], aspect: float) -> Picture:
    with keyframe.path.with_suffix(".threads").open("a") as threads:
        threads.write(f"{threading.current_thread().name}\n")
    return prepare_picture(keyframe, grids, aspect)


pipeline.prepare_picture = prepare_and_note  # type: ignore[attr-defined]
sys.exit(worker.main())
