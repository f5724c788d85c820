"""A sound that drives the picture: its latent and the clip equal the reference's."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipelines.ltx.audio_encode import encode_audio
from pipelines.ltx.components import Components
from pipelines.ltx.latents import unpack_audio
from pipelines.media.sound import read_sound

DIRECTIONS = Path(__file__).parent / "data" / "directions"
CASES: dict[str, dict[str, Any]] = json.loads((DIRECTIONS / "sound-cases.json").read_text())["cases"]
TOLERANCE = 2e-4


@pytest.mark.parametrize("name", CASES)
def test_the_mel_and_the_latent_of_a_sound_equal_the_reference(
    name: str, components: dict[str, Components], relative_error
) -> None:
    fields, golden = CASES[name], load_file(DIRECTIONS / f"golden-{name}.safetensors")
    start_s, duration_s = Fraction(str(fields.get("audio_start", 0))), Fraction(fields["num_frames"], 24)

    sound = read_sound(DIRECTIONS / fields["audio"], start_s, duration_s).fitted(duration_s)
    with torch.inference_mode():
        latent, mel = encode_audio(sound, components["bf16"].audio_vae)

    assert torch.equal(torch.from_numpy(sound.samples), golden["waveform"])
    assert relative_error(mel, golden["audio_mel"]) < TOLERANCE
    assert relative_error(unpack_audio(latent), golden["audio_latent_uncut"]) < TOLERANCE
