"""Make previews of the jobs that somebody watches, in a thread beside the render."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import torch

from pipelines.ltx.latent_preview import Finish, Viewer, start_preview
from pipelines.ltx.latent_rgb import map_path, read_map, vae_identity
from pipelines.ltx.preview_fit import CLIPS, fit_preview
from pipelines.ltx.tiny_decoder import load_tiny_decoder
from pipelines.media.animation import encode_animation
from server.process.logs import OnceAMinute
from server.worker.messages import PreviewMade
from weights.errors import WeightsError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Video

log = logging.getLogger("ltx23.previews")
log.addFilter(OnceAMinute())

# What a preview shows: the job, its stage, the step and the number of steps.
Place = tuple[str, str, int, int]


class Previewer:
    """Sends a preview after a step. A preview that is late is dropped for the next one.

    viewer: None until there is one; nothing is shown before that. is_watched: whether somebody watches the job.
    """

    def __init__(
        self, viewer: Viewer | None, is_watched: Callable[[str], bool], send: Callable[[PreviewMade], None]
    ) -> None:
        self.viewer, self._is_watched, self._send = viewer, is_watched, send
        self._started: SimpleQueue[tuple[Place, Finish, float] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)
        self._thread.start()

    def show(self, place: Place, latent: torch.Tensor, duration_s: float) -> None:
        """Start a preview of the clean latent, if somebody watches. Called between steps: a failure is only logged."""
        if self.viewer is None or not self._is_watched(place[0]):
            return
        try:
            self._started.put((place, start_preview(self.viewer, latent), duration_s))
        except RuntimeError as exc:  # such as OutOfMemoryError
            log.warning("no preview: %s", exc)

    def close(self) -> None:
        """Make what has been started, and end the thread."""
        self._started.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_closed = False
        while not is_closed:
            waiting = [self._started.get()]
            while not self._started.empty():
                waiting.append(self._started.get())
            is_closed = None in waiting
            started = [each for each in waiting if each is not None]
            if started:
                self._make(*started[-1])

    def _make(self, place: Place, finish: Finish, duration_s: float) -> None:
        try:
            data = encode_animation(finish(), duration_s)
        except (RuntimeError, OSError, ValueError) as exc:
            log.warning("no preview: %s", exc)
        else:
            self._send(PreviewMade(*place, data))


def find_viewer(vae: "AutoencoderKLLTX2Video", cache_dir: Path, preview_vae: Path | None = None) -> Viewer | None:
    """Load the small decoder in this file, or else the map of this VAE that is shipped or was fitted before.

    Return None if there is no such map. Raises WeightsError.
    """
    channels = vae.latents_mean.numel()
    if preview_vae is not None:
        return load_tiny_decoder(preview_vae, channels, vae.device, vae.dtype)
    found = read_map(map_path(cache_dir, vae_identity(vae)), channels)
    return None if found is None else found.to(vae.device)


def fit_while_idle(
    previewer: Previewer, vae: "AutoencoderKLLTX2Video", cache_dir: Path, clips: int = CLIPS
) -> Iterator[None]:
    """Fit the map of this VAE if there is none, a part at each step, and keep it for the next start."""
    if previewer.viewer is not None:
        return
    try:
        for fitted in fit_preview(vae, clips):
            if fitted is not None:
                previewer.viewer = fitted.to(vae.device)
                fitted.save(map_path(cache_dir, vae_identity(vae)))
            yield
    except (RuntimeError, WeightsError) as exc:
        log.warning("the previews' map of the video VAE: %s", exc)
