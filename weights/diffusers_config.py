"""Read the config.json of a diffusers folder's component as constructor arguments of its class.

A key that a config lacks gets LTX-2.3's published value, not the class's default, which is LTX-2.0's; if that is wrong,
a shape does not match. An unknown key, or a value that the flow does not support, is an error.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from weights.architecture import Kwargs, read_architecture, upsampler_kwargs
from weights.component import CONFIG_NAME, Component
from weights.errors import UnsupportedError
from weights.full_model import full_checkpoint, full_upsampler

NULLABLE = {"attn_resolutions", "final_act_fn", "bwe_final_act_fn"}


@dataclass(frozen=True)
class Model:
    """A component's class, and the keys on which the flow relies: every LTX-2.3 has them as published.

    Any other key may differ where the tensors do too.
    """

    class_name: str
    fixed: frozenset[str]


MODELS = {
    "transformer": Model(
        "LTX2VideoTransformer3DModel",
        frozenset(
            {
                "patch_size",
                "patch_size_t",
                "vae_scale_factors",
                "gated_attn",
                "cross_attn_mod",
                "audio_patch_size",
                "audio_patch_size_t",
                "audio_scale_factor",
                "audio_gated_attn",
                "audio_cross_attn_mod",
                "qk_norm",
                "attention_out_bias",
                "causal_offset",
                "rope_type",
                "use_prompt_embeddings",
                "perturbed_attn",
                "ff_bias",
                "audio_ff_bias",
                "use_prompt_adaln_single",
                "use_keyframes_abs_pos_embedding",
            }
        ),
    ),
    "connectors": Model(
        "LTX2TextConnectors",
        frozenset(
            {
                "video_gated_attn",
                "audio_gated_attn",
                "causal_temporal_positioning",
                "rope_type",
                "per_modality_projections",
            }
        ),
    ),
    "video_vae": Model(
        "AutoencoderKLLTX2Video",
        frozenset(
            {
                "spatio_temporal_scaling",
                "decoder_spatio_temporal_scaling",
                "decoder_inject_noise",
                "downsample_type",
                "upsample_type",
                "upsample_residual",
                "timestep_conditioning",
                "patch_size",
                "patch_size_t",
                "scaling_factor",
                "encoder_causal",
                "decoder_causal",
                "spatial_compression_ratio",
                "temporal_compression_ratio",
            }
        ),
    ),
    "audio_vae": Model("AutoencoderKLLTX2Audio", frozenset()),
    "vocoder": Model("LTX2VocoderWithBWE", frozenset()),
    "upsampler": Model(
        "LTX2LatentUpsamplerModel",
        frozenset(
            {
                "dims",
                "spatial_upsample",
                "temporal_upsample",
                "rational_spatial_scale",
            }
        ),
    ),
}

# What diffusers' configs say beyond the published one: keys of LTX-2.5, and a factor of 1.
ADDED: dict[str, Kwargs] = {
    "transformer": {
        "ff_bias": True,
        "audio_ff_bias": True,
        "use_prompt_adaln_single": True,
        "use_keyframes_abs_pos_embedding": False,
    },
    "video_vae": {"scaling_factor": 1.0},
}


@cache
def published_kwargs() -> dict[str, Kwargs]:
    """Return the constructor arguments of the 22B model by component, as in JSON."""
    found = asdict(read_architecture(full_checkpoint())) | {"upsampler": upsampler_kwargs(full_upsampler())}
    as_json: dict[str, Kwargs] = json.loads(json.dumps(found))
    return {name: kwargs | ADDED.get(name, {}) for name, kwargs in as_json.items()}


def component_kwargs(name: str, component: Component) -> Kwargs:
    """Return the constructor arguments of a component. Raises UnsupportedError that names a wrong key."""
    model, published, path = MODELS[name], published_kwargs()[name], component.path / CONFIG_NAME
    class_name = component.config.get("_class_name", model.class_name)
    if class_name != model.class_name:
        raise UnsupportedError(path, f"is {class_name}'s; LTX-2.3 has {model.class_name}")
    # Keys with an underscore say how the folder was saved: class, version, name.
    config = {key: value for key, value in component.config.items() if not key.startswith("_")}
    for key, value in config.items():
        problem = _problem(model, published, key, value)
        if problem:
            raise UnsupportedError(path, f"{key!r} is {value!r}; {problem}")
    return _with_final_activation(name, published | config)


def _problem(model: Model, published: Kwargs, key: str, value: Any) -> str | None:
    if key not in published:
        return f"{model.class_name} of LTX-2.3 has no such key"
    if key in model.fixed and value != published[key]:
        return f"LTX-2.3 has {published[key]!r}"
    if not (value is None and key in NULLABLE) and not _is_alike(value, published[key]):
        return f"something like {published[key]!r} is needed"
    return None


def _is_alike(value: Any, example: Any) -> bool:
    if example is None:
        return isinstance(value, (str, list))
    if isinstance(example, (int, float)) and not isinstance(example, bool):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, type(example))


def _with_final_activation(name: str, kwargs: Mapping[str, Any]) -> Kwargs:
    """Restore the activation at the end of the vocoder's first stage, which diffusers' conversion dropped."""
    if name != "vocoder":
        return dict(kwargs)
    return {**kwargs, "final_act_fn": kwargs["final_act_fn"] or "clamp"}
