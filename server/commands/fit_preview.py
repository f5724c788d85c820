"""`ltx23 weights fit-preview`: fit the map that shows latents of a video VAE, and keep it for the server."""

from pathlib import Path

from tqdm import tqdm

from server.settings import load_settings


def fit_preview(file: Path | None, cache_dir: str | None) -> int:
    """Fit the map of the VAE in this file or folder, by default the tiny model's. Raises WeightsError."""
    import torch

    from pipelines.ltx.latent_rgb import FILE_NAME, FOLDER, vae_identity
    from pipelines.ltx.models import load_video_vae
    from pipelines.ltx.preview_fit import CLIPS
    from pipelines.ltx.preview_fit import fit_preview as fit
    from weights.tiny import tiny_files

    cache = load_settings(cache_dir=cache_dir).cache_dir
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    vae = load_video_vae(file or tiny_files(cache).checkpoint, device, dtype)
    path = cache / FOLDER / FILE_NAME.format(identity=vae_identity(vae))
    for fitted in tqdm(fit(vae), total=CLIPS, desc="fit", unit="clip", disable=None):
        if fitted is not None:
            fitted.save(path)
    print(path)
    return 0
