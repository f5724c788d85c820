"""A diffusers folder as a checkpoint: it loads the same weights as a single file, and errors name the file."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode
from pipelines.ltx.models import WeightFiles
from tests.diffusers_folder import change_json, copy_folder
from weights.errors import WeightsError
from weights.generation import Generation
from weights.inspect import inspect
from weights.load import quantize
from weights.source import open_source, open_upsampler
from weights.tiny import TinyFiles

CPU = torch.device("cpu")
LAYER = "transformer_blocks.1.attn1.to_q"

Change = Callable[[Path], object]


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Copy the folder, so that a test can change it."""
    return copy_folder(tiny_folder, tmp_path / "folder")


def own_files(folder: Path) -> WeightFiles:
    return WeightFiles(folder, folder / "text_encoder", folder / "latent_upsampler", tokenizer=folder / "tokenizer")


def tensors_of(components: Components) -> Iterator[tuple[str, torch.Tensor]]:
    modules: dict[str, nn.Module] = dict(enumerate(components.modules()))  # type: ignore[arg-type]
    return ((f"{i}.{name}", tensor) for i, m in modules.items() for name, tensor in m.state_dict().items())


def rewrite(part: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Rewrite a component as one file with changed tensors."""
    tensors: dict[str, torch.Tensor] = {}
    for path in [*part.glob("*.safetensors"), *part.glob("*.index.json")]:
        tensors |= load_file(path) if path.suffix == ".safetensors" else {}
        path.unlink()
    save_file(change(tensors), part / "diffusion_pytorch_model.safetensors")


def without(*parts: str) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda tensors: {name: t for name, t in tensors.items() if not any(part in name for part in parts)}


def test_every_tensor_equals_that_of_a_single_file(tiny: TinyFiles, tiny_folder: Path) -> None:
    one = load_components(WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler), CPU, torch.float32)
    found = load_components(own_files(tiny_folder), CPU, torch.float32)

    expected = dict(tensors_of(one))
    loaded = dict(tensors_of(found))
    assert loaded.keys() == expected.keys()
    assert [name for name, tensor in loaded.items() if not torch.equal(tensor, expected[name])] == []
    assert found.vocoder.vocoder.final_act_fn == one.vocoder.vocoder.final_act_fn == "clamp"
    assert len(list((tiny_folder / "transformer").glob("*.safetensors"))) > 1


def test_the_first_stage_of_the_vocoder_ends_in_tanh_if_the_config_says_so(folder: Path) -> None:
    change_json(folder / "vocoder/config.json", final_act_fn="tanh")

    assert open_source(folder).architecture["vocoder"]["final_act_fn"] == "tanh"


def test_a_folder_is_recognised_without_its_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()

    assert open_source(folder).checkpoint.path == folder


def test_fp8_weights_with_a_scale_multiply_in_fp8(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        weight, scale = quantize(tensors[f"{LAYER}.weight"])
        return tensors | {f"{LAYER}.weight": weight, f"{LAYER}.weight_scale": scale}

    rewrite(folder / "transformer", change)
    stored = load_file(folder / "transformer/diffusion_pytorch_model.safetensors")
    transformer = load_components(own_files(folder), CPU, torch.float32, fp8=Fp8Mode.SCALED).transformer

    linears = {name: module for name, module in transformer.named_modules() if isinstance(module, Fp8Linear)}
    assert list(linears) == [LAYER]
    assert torch.equal(linears[LAYER].weight.float(), stored[f"{LAYER}.weight"].float())
    assert inspect(folder).layout == "diffusers folder, scaled FP8, dynamic activations"


def test_inspect_shows_components_that_are_there_and_missing(folder: Path) -> None:
    whole = inspect(folder)
    shutil.rmtree(folder / "vocoder")
    shutil.rmtree(folder / "tokenizer")
    shutil.rmtree(folder / "latent_upsampler")
    part = inspect(folder)

    assert (whole.layout, whole.generation) == ("diffusers folder, BF16", Generation.LTX_2_3)
    assert whole.holds[:5] == ("transformer", "connectors", "vae", "audio_vae", "vocoder")
    assert whole.holds[5:] == ("text_encoder", "tokenizer", "latent_upsampler")
    assert (whole.missing, whole.needs) == ((), ())
    assert (part.missing, part.needs) == (("vocoder/",), ("--text-encoder", "--upscaler"))
    assert whole.size_bytes > part.size_bytes > 0


def test_inspect_shows_a_folder_in_float32(folder: Path) -> None:
    for part in ("transformer", "connectors", "vae", "audio_vae", "vocoder"):
        rewrite(folder / part, lambda tensors: {name: tensor.float() for name, tensor in tensors.items()})

    assert inspect(folder).layout == "diffusers folder, F32"


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:-9])


def shard_of(folder: Path) -> Path:
    return sorted((folder / "transformer").glob("*00002-of-*.safetensors"))[0]


def index_of(folder: Path) -> Path:
    return folder / "transformer/diffusion_pytorch_model.safetensors.index.json"


def to_other_shard(folder: Path) -> None:
    weight_map = json.loads(index_of(folder).read_text())["weight_map"]
    name = next(name for name, shard in weight_map.items() if "00001-of" in shard)
    change_json(index_of(folder), weight_map=weight_map | {name: shard_of(folder).name})


def pickled(folder: Path) -> None:
    (folder / "connectors/diffusion_pytorch_model.safetensors").rename(
        folder / "connectors/diffusion_pytorch_model.bin"
    )


def remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder)


def make_ltx_video(folder: Path) -> None:
    rewrite(folder / "transformer", without("audio_"))
    remove(folder / "vocoder")


WRONG: dict[str, tuple[Change, str]] = {
    "no connectors": (lambda f: shutil.rmtree(f / "connectors"), r"folder: holds no connectors/; download"),
    "two missing": (
        lambda f: remove(f / "vae", f / "scheduler"),
        r"folder: holds no vae/ and no scheduler/",
    ),
    "no scheduler config": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(),
        r"scheduler_config\.json: cannot be read: No such file",
    ),
    "dev, dynamic shifting": (
        lambda f: change_json(f / "scheduler/scheduler_config.json", use_dynamic_shifting=True),
        r"folder: is the dev model: .* this server runs LTX-2\.3 distilled",
    ),
    "dev, terminal shift": (
        lambda f: change_json(f / "scheduler/scheduler_config.json", shift_terminal=0.1),
        r"folder: is the dev model",
    ),
    "LTX-2.0": (
        lambda f: rewrite(f / "transformer", without("prompt_adaln")),
        r"folder: is LTX-2\.0; this server runs LTX-2\.3 distilled",
    ),
    "LTX-Video": (
        make_ltx_video,
        r"folder: is LTX-Video 0\.9; this server",
    ),
    "LTX-2.5": (lambda f: rewrite(f / "transformer", without(".ff.net.2.bias")), r"folder: is LTX-2\.5; this server"),
    "no transformer": (lambda f: rewrite(f / "transformer", without("proj_in")), r"transformer: holds no transformer"),
    "flag of 2.0": (
        lambda f: change_json(f / "transformer/config.json", cross_attn_mod=False),
        r"transformer/config\.json: 'cross_attn_mod' is False; LTX-2\.3 has True",
    ),
    "another class": (
        lambda f: change_json(f / "vocoder/config.json", _class_name="LTX2Vocoder"),
        r"vocoder/config\.json: is LTX2Vocoder's; LTX-2\.3 has LTX2VocoderWithBWE",
    ),
    "unknown key": (
        lambda f: change_json(f / "connectors/config.json", depth=3),
        r"connectors/config\.json: 'depth' is 3; LTX2TextConnectors of LTX-2\.3 has no such key",
    ),
    "wrong type": (
        lambda f: change_json(f / "transformer/config.json", num_layers="two"),
        r"config\.json: 'num_layers' is 'two'; something like 48 is needed",
    ),
    "null": (lambda f: change_json(f / "vae/config.json", layers_per_block=None), r"'layers_per_block' is None; some"),
    "impossible": (
        lambda f: change_json(f / "vocoder/config.json", upsample_factors=[5, 2]),
        r"folder: its config makes no vocoder of LTX-2\.3",
    ),
    "damaged config": (lambda f: cut(f / "vae/config.json"), r"vae/config\.json: is not JSON"),
    "config of another kind": (
        lambda f: (f / "vae/config.json").write_text("[]"),
        r"vae/config\.json: is not a JSON object",
    ),
    "no config": (lambda f: (f / "audio_vae/config.json").unlink(), r"audio_vae/config\.json: cannot be read: No such"),
    "missing shard": (
        lambda f: shard_of(f).unlink(),
        r"00002-of-0000\d\.safetensors: is missing, and diffusion_pytorch_model\.safetensors\.index\.json names it",
    ),
    "damaged index": (lambda f: cut(index_of(f)), r"index\.json: is not JSON"),
    "index without a map": (lambda f: change_json(index_of(f), weight_map=...), r"index\.json: has no `weight_map`"),
    "index to elsewhere": (
        lambda f: change_json(index_of(f), weight_map={"proj_in.weight": "../../secret.safetensors"}),
        r"index\.json: names '\.\./\.\./secret\.safetensors', which is not a file next to it",
    ),
    "index to another shard": (to_other_shard, r"index\.json: says that '.*' is in .*00002-of-.*, which it is not"),
    "pickles": (pickled, r"connectors: holds pickled weights \(diffusion_pytorch_model\.bin\), which can run any code"),
    "nothing": (
        lambda f: (f / "connectors/diffusion_pytorch_model.safetensors").unlink(),
        r"connectors: holds no \.safetensors file",
    ),
    "two files": (
        lambda f: shutil.copy(
            f / "connectors/diffusion_pytorch_model.safetensors",
            f / "connectors/diffusion_pytorch_model.fp16.safetensors",
        ),
        r"connectors: holds diffusion_pytorch_model\.fp16\.safetensors, diffusion_pytorch_model\.safetensors: one of",
    ),
    "missing tensor": (
        lambda f: rewrite(f / "transformer", without(f"{LAYER}.bias")),
        rf"folder/transformer/\S+\.safetensors: missing tensor '{LAYER}\.bias' of Transformer",
    ),
    "missing tensor of another name than published": (
        lambda f: rewrite(f / "transformer", without("audio_time_embed.linear.bias")),
        r"folder/transformer/\S+\.safetensors: missing tensor 'audio_time_embed\.linear\.bias' of Transformer",
    ),
    "unexpected tensor": (
        lambda f: rewrite(f / "vae", lambda tensors: tensors | {"stranger": torch.zeros(2)}),
        r"folder/vae/\S+\.safetensors: unexpected tensor 'stranger': AutoencoderKLLTX2Video has no such tensor",
    ),
    "mis-shaped tensor": (
        lambda f: rewrite(f / "connectors", lambda tensors: tensors | {"video_text_proj_in.bias": torch.zeros(47)}),
        r"folder/connectors/\S+: 'video_text_proj_in\.bias' has shape \[47\], LTX2TextConnectors needs \[160\]",
    ),
    "another size": (
        lambda f: change_json(f / "transformer/config.json", num_layers=...),
        r"folder/transformer: missing tensor 'transformer_blocks\.10\.",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_damaged_folder_is_refused_with_the_reason(what: str, folder: Path) -> None:
    change, message = WRONG[what]
    change(folder)

    with pytest.raises(WeightsError, match=message):
        load_components(own_files(folder), CPU, torch.float32)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decoder_causal", True),
        ("timestep_conditioning", True),
        ("decoder_inject_noise", [True] * 5),
        ("upsample_residual", [True] * 4),
    ],
)
def test_a_video_decoder_of_another_generation_is_refused(key: str, value: object, folder: Path) -> None:
    change_json(folder / "vae/config.json", **{key: value})

    with pytest.raises(WeightsError, match=rf"vae/config\.json: '{key}' is .*; LTX-2\.3 has \[?False"):
        open_source(folder)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("text_encoder", r"text_encoder: is a text encoder \(gemma3\): give it as --text-encoder"),
        ("latent_upsampler", r"latent_upsampler: is a latent upsampler: give it as --upscaler"),
        ("vae", r"vae: is one component \(AutoencoderKLLTX2Video\): give the diffusers folder that it is in"),
        ("scheduler", r"scheduler: is a folder without model_index\.json"),
    ],
)
def test_a_folder_that_is_not_a_checkpoint_is_described(part: str, message: str, tiny_folder: Path) -> None:
    with pytest.raises(WeightsError, match=message):
        open_source(tiny_folder / part)
    with pytest.raises(WeightsError, match=message):
        inspect(tiny_folder / part)


def test_companion_files_are_refused_with_a_complete_folder(tiny: TinyFiles, tiny_folder: Path) -> None:
    with pytest.raises(WeightsError, match=rf"which has all its parts: leave out {tiny.checkpoint.name}"):
        open_source(tiny_folder, [tiny.checkpoint])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temporal_upsample": True}, r"config\.json: 'temporal_upsample' is True; LTX-2\.3 has False"),
        ({"rational_spatial_scale": 1.5}, r"config\.json: 'rational_spatial_scale' is 1\.5; LTX-2\.3 has 2\.0"),
        ({"_class_name": "LTXLatentUpsamplerModel"}, r"LTX-2\.3 has LTX2LatentUpsamplerModel"),
    ],
)
def test_another_upsampler_is_refused(changes: dict[str, object], message: str, folder: Path) -> None:
    change_json(folder / "latent_upsampler/config.json", **changes)

    with pytest.raises(WeightsError, match=message):
        open_upsampler(folder / "latent_upsampler")


def test_a_checkpoint_folder_is_refused_as_an_upsampler(tiny_folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"config\.json: cannot be read: No such file"):
        open_upsampler(tiny_folder)
