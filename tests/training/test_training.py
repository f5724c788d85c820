"""A smoke run of the commands that make the tiny model's trained weights."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from training import export, vae
from training.picture_vae import PictureVAE
from training.vae import random_crops
from weights.tiny_config import CHECKPOINT_CONFIG, TRAINED
from weights.tiny_model.video_vae import video_vae_tensors


def test_a_run_goes_on_where_it_stopped_and_is_exported(tmp_path: Path) -> None:
    few = ("--folder", str(tmp_path), "--pictures", "3", "--batch", "2", "--crop", "64")
    vae.main([*few, "--steps", "2"])
    started = torch.load(tmp_path / "vae.pt", weights_only=True)
    vae.main([*few, "--steps", "3"])
    continued = torch.load(tmp_path / "vae.pt", weights_only=True)
    exported = tmp_path / "exported.safetensors"
    export.main(["--folder", str(tmp_path), "--pictures", "3", "--crops", "2", "--output", str(exported)])

    assert (started["step"], continued["step"]) == (2, 3)
    shipped = load_file(TRAINED)
    assert {name: t.shape for name, t in load_file(exported).items()} == {name: t.shape for name, t in shipped.items()}


def test_the_whole_vae_computes_what_was_trained_on_pictures() -> None:
    from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video

    from weights.architecture import video_vae_kwargs
    from weights.names import VIDEO_VAE

    trained = {name: tensor.float() for name, tensor in load_file(TRAINED).items()}
    pictures = PictureVAE(CHECKPOINT_CONFIG["vae"])
    pictures.load_state_dict({name: trained[name] for name in pictures.state_dict()})
    whole = AutoencoderKLLTX2Video(**video_vae_kwargs(CHECKPOINT_CONFIG["vae"]))
    tensors = {f"vae.{name}": tensor for name, tensor in video_vae_tensors(trained).items()}
    whole.load_state_dict({name: tensors[stored] for stored, name in VIDEO_VAE.select(tensors).items()})
    drawn = torch.randint(256, (2, 96, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    picture = random_crops(drawn, 1, 96, torch.Generator().manual_seed(2))

    with torch.no_grad():
        latent = pictures.encode(picture)
        still = whole.decode(latent[:, :, None].expand(-1, -1, 3, -1, -1)).sample
        torch.testing.assert_close(
            whole.encode(picture[:, :, None]).latent_dist.mode()[:, :, 0], latent, rtol=0, atol=1e-2
        )
        for frame in still.unbind(2):
            torch.testing.assert_close(frame, pictures.decode(latent), rtol=0, atol=1e-3)
