"""The transformer: it shows an image where it belongs, and elsewhere colours that the prompt names.

Nothing here is trained. The velocity is (x - x0) / sigma, with an x0 put together in two blocks:

- Block 0 makes a soft field out of the noise around each token (self-attention), finds the colours of the prompt's
  words (attention to the prompt) and mixes them by the field (feed forward).
- Block 1 attends to the latents of images, which it knows by their noise level of 0, at the same place and near in
  time. A token that finds none attends to tokens like itself, and so keeps its mixed colour. If the sound is given,
  which its noise level of 0 tells, each token also attends to it at its time, and is the brighter the louder it is.

A residual stream has large constants, so that its norms divide by nearly the same number everywhere, and one channel
that keeps the mean of all at 0.
"""

import math

import torch

from weights.names import MODEL
from weights.tiny_config import WIDTH
from weights.tiny_model.attention import at_once, blur, fade, set_in_time, set_positional
from weights.tiny_model.sound import BINS, LATENT_SCALE, LOUDNESS_CHANNEL, TONES_HZ
from weights.tiny_model.text import CLASS_KEYS, COLOUR_CLASSES, SOUND_CLASSES, Fields
from weights.tiny_model.timing import Function, rounded, set_adaln, set_switch
from weights.tiny_model.video_vae import FlatColours

LATENT = 128
RGB = 3

# Channels of both residual streams. What follows them is video's alone.
X, PLUS, MINUS, BALANCE = slice(0, LATENT), 128, 129, 130
NOISE, FIELD = slice(131, 135), slice(135, 139)
COLOURS, MIXED, SHOWN = slice(139, 148), slice(148, 151), slice(151, 154)
FREE, CLEAN, CANCEL = 154, 155, (156, 157)

CONSTANT = 128.0
NORM = math.sqrt((2 * CONSTANT**2 + LATENT) / WIDTH)  # what the norms divide by

# Rows of a block's table.
SELF_SHIFT, SELF_SCALE, SELF_GATE, FEED_GATE, PROMPT_GATE = 0, 1, 2, 5, 8

# An image is one up to this noise level: at strength 0.5 it counts from the middle of a stage on.
CLEAN_SIGMA = 0.35
CLEAN_BONUS = 48.0
# Below this, the velocity no longer grows: those tokens take what is given.
MIN_SIGMA = 0.1

# Mixing: the field (deviation 1) at which a second or third colour begins, and how fast it takes over.
MIX_START, MIX_SLOPE, MIX_SHARPNESS = 1.0, 1.2, 6.0
BRIGHTNESS = 0.06
FIELD_TO_CODES = 0.6
# What full scale in every band adds to each colour.
LOUD_BRIGHTNESS = 0.6
# The deviation of the blurred noise, in the middle of a default clip's grid.
BLURRED_DEVIATION = 0.05


def noise_directions(flat: FlatColours, generator: torch.Generator) -> torch.Tensor:
    """Return (4, 128): unit vectors in which no flat colour lies, so that they see noise alone."""
    colours = torch.cat([flat.weight, flat.bias[:, None]], dim=1)
    count = NOISE.stop - NOISE.start
    drawn = torch.randn(LATENT, count, generator=generator)
    basis: torch.Tensor = torch.linalg.qr(torch.cat([colours, drawn], dim=1))[0]
    return basis[:, -count:].T


def set_transformer(tensors: dict[str, torch.Tensor], flat: FlatColours, projections: torch.Tensor) -> None:
    """Set all that has an effect; the gates of the rest are closed. By published names."""
    part = {name.removeprefix(MODEL): tensor for name, tensor in tensors.items() if name.startswith(MODEL)}
    _close_gates(part)
    for stream in ("", "audio_"):
        _set_ends(part, stream)
    _set_video_ends(part, flat, projections)
    _set_video_timing(part)
    _set_audio_timing(part)
    _set_field(part, "transformer_blocks.0")
    _set_prompt_colours(part, "transformer_blocks.0")
    _set_mixing(part, "transformer_blocks.0")
    _set_keyframes(part, "transformer_blocks.1")
    _set_prompt_tones(part, "transformer_blocks.0")
    _clear_attention(part, "transformer_blocks.0.audio_to_video_attn")
    _set_loudness(part, "transformer_blocks.1")
    set_switch(part, "av_ca_a2v_gate_adaln_single")


def _close_gates(part: dict[str, torch.Tensor]) -> None:
    for name, tensor in part.items():
        if "scale_shift_table" in name or "adaln" in name:
            tensor.zero_()
    blocks = (part["transformer_blocks.0.scale_shift_table"], part["transformer_blocks.1.scale_shift_table"])
    blocks[0][[SELF_GATE, FEED_GATE, PROMPT_GATE]] = 1
    blocks[1][SELF_GATE] = 1
    part["transformer_blocks.0.audio_scale_shift_table"][PROMPT_GATE] = 1


def _set_ends(part: dict[str, torch.Tensor], stream: str) -> None:
    """Pass the latent through, beside the constants."""
    weight, bias = part[f"{stream}patchify_proj.weight"], part[f"{stream}patchify_proj.bias"]
    weight.zero_()
    bias.zero_()
    weight[X] = torch.eye(LATENT)
    bias[PLUS], bias[MINUS] = CONSTANT, -CONSTANT
    _balance(weight)
    output = part[f"{stream}proj_out.weight"]
    output.zero_()
    part[f"{stream}proj_out.bias"].zero_()
    output[:, X] = torch.eye(LATENT)
    _cancel(output)


def _set_video_ends(part: dict[str, torch.Tensor], flat: FlatColours, projections: torch.Tensor) -> None:
    """Read noise out of the latent, and show mixed colours.

    projections: (4, 128), directions in which no flat colour lies.
    """
    weight, output = part["patchify_proj.weight"], part["proj_out.weight"]
    weight[NOISE] = projections
    _balance(weight)
    output[:, SHOWN] = -flat.weight
    output[:, FREE] = -flat.bias
    _cancel(output)


def _balance(weight: torch.Tensor) -> None:
    """Make the sum over all channels 0, which a layer norm would subtract."""
    weight[BALANCE] = 0
    weight.copy_(rounded(weight))
    weight[BALANCE] = -weight.sum(0)


def _cancel(output: torch.Tensor) -> None:
    """Take off what the output's shift adds: its embedding is that of the scale, and the same in all these channels."""
    output[:, list(CANCEL)] = 0
    output.copy_(rounded(output))
    rest = -output.sum(1)
    for channel in CANCEL:
        output[:, channel] = rounded(rest)
        rest = rest - output[:, channel]


def _clean(sigma: torch.Tensor) -> torch.Tensor:
    return (1 - sigma / CLEAN_SIGMA).clamp(min=0)


def _output_scale(sigma: torch.Tensor) -> torch.Tensor:
    return NORM / sigma.clamp(min=MIN_SIGMA) - 1


def _set_video_timing(part: dict[str, torch.Tensor]) -> None:
    scaled = [*range(LATENT), *range(SHOWN.start, SHOWN.stop), FREE, *CANCEL]
    rows: dict[int, Function] = {SELF_SHIFT * WIDTH + CLEAN: _clean}
    rows |= {SELF_SCALE * WIDTH + channel: lambda sigma: _clean(sigma) - 1 for channel in range(LATENT)}
    rows |= {SELF_SCALE * WIDTH + c: lambda sigma: -_clean(sigma) for c in range(MIXED.start, MIXED.stop)}
    # A token's noise is sigma times what was drawn.
    noise_scale = range(NOISE.start, NOISE.stop)
    rows |= {SELF_SCALE * WIDTH + c: lambda sigma: 1 / sigma.clamp(min=MIN_SIGMA) - 1 for c in noise_scale}
    set_adaln(part, "adaln_single", dict.fromkeys(scaled, _output_scale), rows)


def _set_audio_timing(part: dict[str, torch.Tensor]) -> None:
    set_adaln(part, "audio_adaln_single", dict.fromkeys([*range(LATENT), *CANCEL], _output_scale), {})


def _clear(part: dict[str, torch.Tensor], name: str) -> None:
    for kind in ("weight", "bias"):
        part[f"{name}.{kind}"].zero_()


def _clear_attention(part: dict[str, torch.Tensor], name: str) -> None:
    for projection in ("to_q", "to_k", "to_v", "to_out.0", "to_gate_logits"):
        _clear(part, f"{name}.{projection}")


def _set_field(part: dict[str, torch.Tensor], block: str) -> None:
    name = f"{block}.attn1"
    _clear_attention(part, name)
    set_positional(part, name, blur(), bonus=0.0, kind=CLEAN)
    values, output = part[f"{name}.to_v.weight"], part[f"{name}.to_out.0.weight"]
    count = FIELD.stop - FIELD.start
    values[:count, NOISE] = torch.eye(count) * (NORM / BLURRED_DEVIATION)
    output[FIELD, :count] = torch.eye(count)
    output[MIXED, count - 1] = BRIGHTNESS
    _balance(output)


def _set_prompt_colours(part: dict[str, torch.Tensor], block: str) -> None:
    """Attend to words with colours before others, and choose among several by the field."""
    name = f"{block}.attn2"
    _set_prompt_attention(part, name)
    queries, keys = part[f"{name}.to_q.weight"], part[f"{name}.to_k.weight"]
    codes = torch.arange(FIELD.stop - FIELD.start)
    places = CLASS_KEYS.stop + codes
    queries[places, FIELD.start + codes] = NORM
    part[f"{name}.to_q.bias"][places] = 0
    keys[places, Fields.CODES.start + codes] = 1
    part[f"{name}.to_k.bias"][places] = 0
    part[f"{name}.q_norm.weight"][places] = FIELD_TO_CODES * math.sqrt(WIDTH)

    values, output = part[f"{name}.to_v.weight"], part[f"{name}.to_out.0.weight"]
    count = COLOURS.stop - COLOURS.start
    values[:count, Fields.COLOURS] = torch.eye(count)
    output[COLOURS, :count] = torch.eye(count)
    output[MIXED, :RGB] = torch.eye(RGB)
    _balance(output)


def _set_prompt_attention(part: dict[str, torch.Tensor], name: str) -> None:
    """Attend to the words of the highest class that the prompt has. An entry of a key is 1 in its class, else -1."""
    _clear_attention(part, name)
    part[f"{name}.to_q.bias"].fill_(1)
    part[f"{name}.to_k.bias"].fill_(1)
    part[f"{name}.q_norm.weight"].zero_()
    part[f"{name}.k_norm.weight"].fill_(1)
    audio = name.endswith("audio_attn2")
    for field, weight in (SOUND_CLASSES if audio else COLOUR_CLASSES).items():
        places = torch.arange(CLASS_KEYS.start, CLASS_KEYS.stop)[field :: Fields.CLASSES]
        part[f"{name}.to_k.weight"][places, field] = 2
        part[f"{name}.to_k.bias"][places] = -1
        part[f"{name}.q_norm.weight"][places] = weight * math.sqrt(WIDTH) / (2 * len(places))


def _set_mixing(part: dict[str, torch.Tensor], block: str) -> None:
    """Show a word's second and third colour where the field is high: relu(d - t) - relu(-t) is d from t = -|d| on."""
    first, second = f"{block}.ff.net.0.proj", f"{block}.ff.net.2"
    _clear(part, first)
    _clear(part, second)
    weight, bias, output = part[f"{first}.weight"], part[f"{first}.bias"], part[f"{second}.weight"]
    sharp, unit = MIX_SHARPNESS * NORM, 0
    for colour in (1, 2):
        field = FIELD.start + colour - 1
        for channel in (*range(RGB), None):
            weight[unit, field] = sharp * MIX_SLOPE
            bias[unit] = -MIX_SHARPNESS * MIX_SLOPE * MIX_START
            if channel is not None:
                weight[unit, COLOURS.start + colour * RGB + channel] = sharp
                weight[unit, COLOURS.start + channel] = -sharp
                output[MIXED.start + channel, unit] = 1 / MIX_SHARPNESS
            else:
                output[MIXED, unit] = -1 / MIX_SHARPNESS
            unit += 1
    _balance(output)


def _set_keyframes(part: dict[str, torch.Tensor], block: str) -> None:
    name = f"{block}.attn1"
    _clear_attention(part, name)
    set_positional(part, name, fade(), bonus=CLEAN_BONUS, kind=CLEAN)
    values, bias, output = part[f"{name}.to_v.weight"], part[f"{name}.to_v.bias"], part[f"{name}.to_out.0.weight"]
    shown, free = slice(LATENT, LATENT + RGB), LATENT + RGB
    values[X, X] = torch.eye(LATENT) * NORM
    values[shown, MIXED] = torch.eye(RGB) * NORM
    values[free, CLEAN], bias[free] = -1, 1
    output[X, X] = -torch.eye(LATENT)
    output[SHOWN, shown] = torch.eye(RGB)
    output[FREE, free] = 1
    _balance(output)


def _set_prompt_tones(part: dict[str, torch.Tensor], block: str) -> None:
    name = f"{block}.audio_attn2"
    _set_prompt_attention(part, name)
    values, output = part[f"{name}.to_v.weight"], part[f"{name}.to_out.0.weight"]
    tones = torch.arange(len(TONES_HZ))
    values[tones, Fields.TONES.start + tones] = 1
    # Token channels are (latent channel, bin): the tones fill the first two channels in their order.
    assert len(TONES_HZ) == 2 * BINS
    output[tones, tones] = -LATENT_SCALE
    _balance(output)


def _set_loudness(part: dict[str, torch.Tensor], block: str) -> None:
    name = f"{block}.audio_to_video_attn"
    _clear_attention(part, name)
    set_in_time(part, name, at_once())
    bands = slice(LOUDNESS_CHANNEL * BINS, (LOUDNESS_CHANNEL + 1) * BINS)
    part[f"{name}.to_v.weight"][0, bands] = NORM / BINS
    output = part[f"{name}.to_out.0.weight"]
    output[SHOWN, 0] = LOUD_BRIGHTNESS
    _balance(output)
