"""`ltx23 generate --preview FILE`: the clip as the last step left it, in a file that can be looked at meanwhile."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import SpecError
from pipelines.media.animation import encode_animation
from weights.disk import replacing

if TYPE_CHECKING:
    import torch

    from pipelines.ltx.latent_preview import Viewer
    from server.worker.messages import WorkerConfig
    from server.worker.model import Model

SUFFIX = ".webp"


def validate_preview_path(path: Path) -> None:
    """Raise SpecError."""
    if path.suffix.lower() != SUFFIX:
        raise SpecError("preview", f"should end in {SUFFIX}, got {path.name!r}")
    if not path.parent.is_dir():
        raise SpecError("preview", f"there is no folder {path.parent}")


class PreviewFile:
    """Writes one preview in the place of the one before, whole at any time."""

    def __init__(self, path: Path, viewer: "Viewer", duration_s: float) -> None:
        self._path, self._viewer, self._duration_s = path, viewer, duration_s

    def show(self, latent: "torch.Tensor") -> None:
        from pipelines.ltx.latent_preview import start_preview

        data = encode_animation(start_preview(self._viewer, latent)(), self._duration_s)
        with replacing(self._path) as part:
            part.write_bytes(data)


def open_viewer(model: "Model", config: "WorkerConfig") -> "Viewer":
    """Return what shows the latents of this model; fit it now if that was never done. Raises WeightsError."""
    from pipelines.ltx.latent_rgb import map_path, vae_identity
    from pipelines.ltx.preview_fit import fit_preview
    from server.worker.previewer import find_viewer

    vae = model.components.video_vae
    found = find_viewer(vae, config.cache_dir, config.preview_vae)
    if found is not None:
        return found
    *_, fitted = fit_preview(vae)
    assert fitted is not None
    fitted.save(map_path(config.cache_dir, vae_identity(vae)))
    return fitted.to(vae.device)
