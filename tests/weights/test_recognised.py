"""Weights from other tools: readable ones are accepted, and all others are refused by their kind, with a remedy."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.text_encoder import open_text_encoder
from server.cli import main
from weights.errors import WeightsError
from weights.generation import Generation
from weights.header import read_header
from weights.inspect import inspect
from weights.names import MODEL
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG

CPU = torch.device("cpu")
LAYER = "transformer_blocks.1.attn1.to_q"

Tensors = dict[str, torch.Tensor]
Change = Callable[[Tensors], Tensors]


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, str] = file.metadata()
    return found


def write(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Path:
    save_file(tensors, path, metadata=metadata)
    return path


def transformer_of(tiny: TinyFiles, checkpoint: Path, *companions: Path) -> Tensors:
    files = WeightFiles(checkpoint, tiny.text_encoder, tiny.upsampler, companions)
    found: Tensors = load_components(files, CPU, torch.float32).transformer.state_dict()
    return found


@pytest.fixture(scope="module")
def expected(tiny: TinyFiles) -> Tensors:
    return transformer_of(tiny, tiny.checkpoint)


def prefixed(tensors: Tensors, prefix: str) -> Tensors:
    return {name.replace(MODEL, prefix): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("prefix", "is_alone"), [("", True), ("diffusion_model.", True), ("transformer.", True), ("", False)]
)
def test_a_transformer_may_have_any_usual_prefix(
    prefix: str, is_alone: bool, tiny: TinyFiles, expected: Tensors, tmp_path: Path
) -> None:
    tensors = load_file(tiny.checkpoint)
    rest = {name: tensor for name, tensor in tensors.items() if not name.startswith(MODEL)}
    own = prefixed({name: tensor for name, tensor in tensors.items() if name.startswith(MODEL)}, prefix)
    config = metadata(tiny.checkpoint)
    checkpoint = write(tmp_path / "model.safetensors", own if is_alone else own | rest, config)
    companions = [write(tmp_path / "rest.safetensors", rest, config)] if is_alone else []

    found = transformer_of(tiny, checkpoint, *companions)

    assert inspect(checkpoint).generation is Generation.LTX_2_3
    assert inspect(checkpoint).layout == ("transformer, BF16" if is_alone else "one file, BF16")
    assert found.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_other_float_types_are_accepted(dtype: torch.dtype, tiny: TinyFiles, expected: Tensors, tmp_path: Path) -> None:
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(tiny.checkpoint).items()}
    checkpoint = write(tmp_path / "model.safetensors", tensors, metadata(tiny.checkpoint))

    found = transformer_of(tiny, checkpoint)

    assert inspect(checkpoint).layout == f"one file, {'F32' if dtype == torch.float32 else 'F16'}"
    exact = dtype == torch.float32
    assert all(torch.allclose(tensor, expected[name], atol=0 if exact else 2**-12) for name, tensor in found.items())


def lora(tensors: Tensors) -> Tensors:
    found: Tensors = {}
    for name, tensor in prefixed(tensors, "diffusion_model.").items():
        if name.endswith("to_q.weight"):
            layer = name.removesuffix(".weight")
            found |= {f"{layer}.lora_A.weight": tensor[:4].clone(), f"{layer}.lora_B.weight": tensor[:, :4].clone()}
    return found


def kohya_lora(tensors: Tensors) -> Tensors:
    return {
        f"lora_unet_{name.replace('.', '_')}.{part}": tensor.clone()
        for name, tensor in lora(tensors).items()
        for part in ("lora_up.weight", "alpha")
    }


def quantised(weight: torch.dtype, scale: torch.dtype, *, packed: int = 1, block: int = 0, **more: Tensors) -> Change:
    """Quantise every `to_q` of the blocks. `packed`: values per byte. `block`: values per scale, 0 for all."""

    def change(tensors: Tensors) -> Tensors:
        found = dict(tensors)
        for name, tensor in tensors.items():
            if name.startswith(MODEL) and name.endswith("to_q.weight"):
                rows, columns = tensor.shape
                found[name] = torch.zeros(rows, columns // packed).to(weight)
                found[f"{name}_scale"] = (torch.zeros(rows, columns // block) if block else torch.zeros(())).to(scale)
        return found | {name: tensor for tensors in more.values() for name, tensor in tensors.items()}

    return change


def beside(suffix: str) -> Change:
    return lambda tensors: tensors | {f"{MODEL}{LAYER}.{suffix}": torch.zeros(4)}


U8, I8, E4M3, E8M0 = torch.uint8, torch.int8, torch.float8_e4m3fn, torch.float8_e8m0fnu

# The change to the tiny checkpoint, and the message about it.
REFUSED: dict[str, tuple[Change, str]] = {
    "LoRA": (lora, "is a LoRA, .*give a checkpoint, and the LoRA as --lora"),
    "LoRA of kohya's tools": (kohya_lora, "is a LoRA"),
    "NVFP4": (quantised(U8, E4M3, packed=2, block=16), "is quantised to NVFP4, which is not read here; .*BF16"),
    "NVFP4 with its global scale": (beside("weight_scale_2"), "is quantised to NVFP4"),
    "MXFP8": (quantised(E4M3, E8M0, block=24), "is quantised to MXFP8"),
    "MXFP8 with scales as bytes": (quantised(E4M3, U8, block=24), "is quantised to MXFP8"),
    "MXFP4": (quantised(U8, E8M0, packed=2, block=24), "is quantised to MXFP4"),
    "INT8": (quantised(I8, torch.float32), "is quantised to INT8"),
    "FP8 by row": (
        quantised(E4M3, torch.float32, block=160),
        r"is quantised to F8_E4M3 with scales of shape \[160, 1\]",
    ),
    "FP8 in blocks": (beside("weight_scale_inv"), "is quantised to FP8 in blocks"),
    "GPTQ": (beside("qweight"), "is quantised to GPTQ or AWQ"),
    "SVDQuant": (lambda tensors: beside("wscales")(beside("qweight")(tensors)), "is quantised to .*SVDQuant"),
    "bitsandbytes": (beside("weight.quant_state.bitsandbytes__nf4"), r"is quantised to bitsandbytes \(4 bits\)"),
    "diffusers' names": (
        lambda tensors: {"transformer.proj_in.weight": tensors[f"{MODEL}patchify_proj.weight"]},
        "has its tensors under diffusers' names: give the diffusers folder",
    ),
    "a text encoder": (
        lambda tensors: {"model.embed_tokens.weight": torch.zeros(2, 2)},
        "is a text encoder; give it as --text-encoder",
    ),
    "nothing of LTX": (lambda tensors: {"a": torch.zeros(1)}, "holds no transformer; an LTX-2.3 checkpoint is needed"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_checkpoint_that_cannot_be_used_is_refused_by_its_kind(what: str, tiny: TinyFiles, tmp_path: Path) -> None:
    change, message = REFUSED[what]
    path = write(tmp_path / "model.safetensors", change(load_file(tiny.checkpoint)), metadata(tiny.checkpoint))

    with pytest.raises(WeightsError, match=rf"^{path}: {message}"):
        transformer_of(tiny, path)


@pytest.mark.parametrize(
    ("what", "layout"),
    [
        ("LoRA", "LoRA"),
        ("NVFP4", "one file, NVFP4, which is not read here"),
        ("MXFP8", "one file, MXFP8, which is not read here"),
        ("INT8", "one file, INT8, which is not read here"),
        ("diffusers' names", "transformer under diffusers' names, a part of a diffusers folder, BF16"),
    ],
)
def test_inspect_names_the_kind_of_an_unusable_checkpoint(
    what: str, layout: str, tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "model.safetensors", REFUSED[what][0](load_file(tiny.checkpoint)))

    assert main(["weights", "inspect", str(path)]) == 0

    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(f"; {layout}")


@pytest.mark.parametrize("suffix", ["lora_A.weight", "weight_scale_2", "qweight"])
def test_a_text_encoder_that_cannot_be_used_is_refused_by_its_kind(
    suffix: str, tiny: TinyFiles, tmp_path: Path
) -> None:
    tensors = load_file(tiny.text_encoder / "model.safetensors")
    path = write(tmp_path / "gemma.safetensors", tensors | {f"model.layers.0.mlp.up_proj.{suffix}": torch.zeros(4)})

    with pytest.raises(WeightsError, match=rf"^{path}: is (a LoRA|quantised to (NVFP4|GPTQ or AWQ))"):
        open_text_encoder(path)


@pytest.mark.parametrize(
    ("prefix", "name", "has_config"),
    [
        (MODEL, "transformer_blocks.1.attn1.q_norm.weight", True),
        ("", "video_embeddings_connector.transformer_1d_blocks.0.attn1.to_q.bias", True),
        ("diffusion_model.", "av_ca_a2v_gate_adaln_single.linear.weight", True),
        ("transformer.", "adaln_single.linear.bias", True),
        ("", "transformer_blocks.1.attn1.q_norm.weight", False),
        ("diffusion_model.", "adaln_single.linear.bias", False),
    ],
)
def test_a_missing_tensor_is_named_as_in_the_file(
    prefix: str, name: str, has_config: bool, tiny: TinyFiles, tmp_path: Path
) -> None:
    tensors = prefixed(load_file(tiny.checkpoint), prefix)
    del tensors[prefix + name]
    path = write(tmp_path / "model.safetensors", tensors, metadata(tiny.checkpoint) if has_config else None)

    with pytest.raises(WeightsError, match=rf"^{path}: missing tensor '{re.escape(prefix + name)}' of "):
        transformer_of(tiny, path)


def test_a_missing_tensor_is_reported_for_its_own_file(tiny: TinyFiles, tmp_path: Path) -> None:
    """The video VAE is a separate file without a prefix."""
    tensors = load_file(tiny.checkpoint)
    vae = {name.removeprefix("vae."): tensor for name, tensor in tensors.items() if name.startswith("vae.")}
    name = "decoder.up_blocks.1.conv.conv.bias"
    del vae[name]
    path = write(tmp_path / "vae.safetensors", vae)

    with pytest.raises(WeightsError, match=rf"^{path}: missing tensor '{name}' of AutoencoderKLLTX2Video"):
        transformer_of(tiny, tiny.checkpoint, path)


@pytest.mark.parametrize("name", ["patchify_proj.bias", "transformer_blocks.0.attn1.to_gate_logits.weight"])
def test_a_missing_tensor_that_determines_the_architecture_is_named(name: str, tiny: TinyFiles, tmp_path: Path) -> None:
    tensors = prefixed(load_file(tiny.checkpoint), "diffusion_model.")
    del tensors[f"diffusion_model.{name}"]
    path = write(tmp_path / "model.safetensors", tensors)

    with pytest.raises(WeightsError, match=rf"^{path}: .*tensor 'diffusion_model\.{re.escape(name)}'"):
        transformer_of(tiny, path)


@pytest.mark.parametrize(
    "config",
    [
        "[" * 100_000,
        "{}",
        "1",
        "not JSON",
        json.dumps({"transformer": 1}),
        json.dumps({"transformer": ["a"]}),
        json.dumps({"vae": "x"}),
        json.dumps(CHECKPOINT_CONFIG | {"vae": {"decoder_blocks": [["res_x"]]}}),
        json.dumps(CHECKPOINT_CONFIG | {"transformer": CHECKPOINT_CONFIG["transformer"] | {"caption_channels": 0}}),
        json.dumps(CHECKPOINT_CONFIG | {"transformer": CHECKPOINT_CONFIG["transformer"] | {"num_layers": 10**9}}),
        json.dumps(CHECKPOINT_CONFIG | {"transformer": CHECKPOINT_CONFIG["transformer"] | {"num_layers": "2"}}),
        json.dumps(
            CHECKPOINT_CONFIG | {"transformer": CHECKPOINT_CONFIG["transformer"] | {"attention_head_dim": 10**12}}
        ),
    ],
    ids=lambda config: config[:20],
)
def test_a_config_that_is_not_of_ltx_is_refused_in_one_line(
    config: str, tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "model.safetensors", load_file(tiny.checkpoint), {"config": config})
    weights = ["--checkpoint", str(path), "--text-encoder", str(tiny.text_encoder), "--upscaler", str(tiny.upsampler)]

    code = main(["generate", "--prompt", "x", "-o", str(tmp_path / "clip.mp4"), *SMALL, *weights])

    # Without a config, the architecture is read from the shapes.
    lines = capsys.readouterr().err.splitlines()
    assert (code, lines) == (0, []) if config == "{}" else (code, len(lines)) == (1, 1)
    assert all(line.startswith(f"ltx23: error: {path}: ") for line in lines)


SMALL = ["--width", "64", "--height", "64", "--num-frames", "9", "--no-audio"]


def test_a_header_keeps_the_names_in_the_file(tiny: TinyFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", {"patchify_proj.weight": torch.zeros(1)})

    assert list(read_header(path).tensors) == ["patchify_proj.weight"]
