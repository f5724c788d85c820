"""A sound that drives the picture: its latent and the clip equal the reference's."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipelines.ltx.audio_encode import encode_audio
from pipelines.ltx.components import Components
from pipelines.ltx.latents import unpack_audio
from pipelines.media.sound import read_sound
from server.cli import main
from tests.parity.conftest import DIRECTED_CASES, DIRECTIONS, SOUND_CASES

CASES = {name: DIRECTED_CASES[name] for name in SOUND_CASES}
TOLERANCE = 2e-4
RESULTS = [
    *("audio_mel", "audio_latent_uncut", "stage_1_video", "stage_1_audio", "upsampled_video"),
    *("stage_2_video", "stage_2_audio", "waveform"),
]


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


@pytest.mark.parametrize("name", CASES)
def test_the_latents_saved_by_the_command_equal_the_reference(
    name: str, checkpoints: dict[str, Path], data: Path, tmp_path: Path, relative_error
) -> None:
    fields, golden = CASES[name], load_file(DIRECTIONS / f"golden-{name}.safetensors")
    options: dict[str, object] = {
        "--checkpoint": checkpoints["bf16"],
        "--text-encoder": data / "text_encoder",
        "--upscaler": data / "ltx-tiny-spatial-upscaler-x2.safetensors",
        "--device": "cpu",
        "--dtype": "float32",
        **{f"--{key.replace('_', '-')}": fields[key] for key in ("prompt", "seed", "width", "height", "num_frames")},
        "--fps": fields["fps"],
        "--audio": DIRECTIONS / fields["audio"],
        "--audio-start": fields.get("audio_start", 0),
        "--save-latents": tmp_path / "latents.safetensors",
        "-o": tmp_path / "clip.mp4",
    }
    args = ["generate", *(str(part) for pair in options.items() for part in pair)]
    for k in fields.get("keyframes", []):
        args += ["--keyframe", f"{data / k['image']}:{k['frame_idx']}:{k['strength']}:{k['crf']}"]

    assert main(args) == 0

    found = load_file(tmp_path / "latents.safetensors")
    assert sorted(found) == sorted(RESULTS)
    errors = {name: relative_error(found[name], golden[name]) for name in RESULTS}
    print(name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE, errors
    assert torch.equal(found["waveform"], golden["waveform"])
    assert torch.equal(found["stage_1_audio"], found["stage_2_audio"])
    assert torch.equal(found["stage_1_audio"], found["audio_latent_uncut"][:, :, : found["stage_1_audio"].shape[2]])
