"""Map stored tensor names to the names of modules, by tables of ordered rules.

The transformer's module has the published names; the modules of other components are diffusers'.

A component takes the tensors under its prefixes; its rules then rename the rest of each name. Nothing is guessed: a
name that no component takes, or that a module does not have, is an error where the file is loaded.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MODEL = "model.diffusion_model."


@dataclass(frozen=True)
class NameMap:
    """The rules by which one component finds and renames its tensors.

    prefixes: what its published names start with; dropped only if `drop_prefix`.
    rules: (regular expression, replacement), applied in order.
    unused: expression of published names that the component does not need.
    """

    prefixes: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    excluded: tuple[str, ...] = ()
    drop_prefix: bool = True
    unused: str | None = None

    def select(self, names: Iterable[str]) -> dict[str, str]:
        """Return published name -> module name for the tensors that this component needs."""
        return {name: self.rename(name) for name in names if self.takes(name) and not self.is_unused(name)}

    def takes(self, name: str) -> bool:
        return name.startswith(self.prefixes) and not name.startswith(self.excluded or ("\0",))

    def is_unused(self, name: str) -> bool:
        return self.unused is not None and re.search(self.unused, name) is not None

    def rename(self, name: str) -> str:
        if self.drop_prefix:
            name = next(name.removeprefix(p) for p in self.prefixes if name.startswith(p))
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name


TRANSFORMER = NameMap(
    prefixes=(MODEL,),
    excluded=(f"{MODEL}video_embeddings_connector.", f"{MODEL}audio_embeddings_connector."),
    rules=(),
)

# Parts of names of the transformer's tensors in diffusers: the same as published.
TRANSFORMER_FROM_DIFFUSERS = {
    "proj_in": "patchify_proj",
    "audio_proj_in": "audio_patchify_proj",
    "time_embed": "adaln_single",
    "audio_time_embed": "audio_adaln_single",
    "prompt_adaln": "prompt_adaln_single",
    "audio_prompt_adaln": "audio_prompt_adaln_single",
    "av_cross_attn_video_scale_shift": "av_ca_video_scale_shift_adaln_single",
    "av_cross_attn_audio_scale_shift": "av_ca_audio_scale_shift_adaln_single",
    "av_cross_attn_video_a2v_gate": "av_ca_a2v_gate_adaln_single",
    "av_cross_attn_audio_v2a_gate": "av_ca_v2a_gate_adaln_single",
    "video_a2v_cross_attn_scale_shift_table": "scale_shift_table_a2v_ca_video",
    "audio_a2v_cross_attn_scale_shift_table": "scale_shift_table_a2v_ca_audio",
    "norm_q": "q_norm",
    "norm_k": "k_norm",
}


def published_transformer_name(name: str) -> str:
    """Return the published name of a tensor of diffusers' transformer, both without a prefix."""
    return ".".join(TRANSFORMER_FROM_DIFFUSERS.get(part, part) for part in name.split("."))


CONNECTORS = NameMap(
    prefixes=(
        "text_embedding_projection.",
        f"{MODEL}video_embeddings_connector.",
        f"{MODEL}audio_embeddings_connector.",
    ),
    drop_prefix=False,
    rules=(
        (r"^text_embedding_projection\.(video|audio)_aggregate_embed\b", r"\1_text_proj_in"),
        (r"^model\.diffusion_model\.(video|audio)_embeddings_connector\b", r"\1_connector"),
        (r"\btransformer_1d_blocks\b", "transformer_blocks"),
        (r"\bq_norm\b", "norm_q"),
        (r"\bk_norm\b", "norm_k"),
    ),
)

LATENT_STATISTICS = (
    (r"^per_channel_statistics\.mean-of-means$", "latents_mean"),
    (r"^per_channel_statistics\.std-of-means$", "latents_std"),
)
UNUSED_STATISTICS = r"per_channel_statistics\.(?!(mean|std)-of-means$)"


def _vae_block_rules(num_stages: int = 4) -> tuple[tuple[str, str], ...]:
    """Map flat block lists: resnets at even places, scalings at odd ones; the decoder counts from the latent out."""
    rules = [(r"^encoder\.down_blocks\.8\b", "encoder.mid_block"), (r"^decoder\.up_blocks\.0\b", "decoder.mid_block")]
    for i in range(num_stages):
        rules += [
            (rf"^encoder\.down_blocks\.{2 * i}\.", f"encoder.DOWN.{i}."),
            (rf"^encoder\.down_blocks\.{2 * i + 1}\.", f"encoder.DOWN.{i}.downsamplers.0."),
            (rf"^decoder\.up_blocks\.{2 * i + 1}\.", f"decoder.UP.{i}.upsamplers.0."),
            (rf"^decoder\.up_blocks\.{2 * i + 2}\.", f"decoder.UP.{i}."),
        ]
    # Rename in two steps, because old and new names overlap.
    return (*rules, (r"\.DOWN\.", ".down_blocks."), (r"\.UP\.", ".up_blocks."), (r"\bres_blocks\b", "resnets"))


VIDEO_VAE = NameMap(
    prefixes=("vae.",),
    rules=(*LATENT_STATISTICS, *_vae_block_rules()),
    unused=UNUSED_STATISTICS,
)

AUDIO_VAE = NameMap(prefixes=("audio_vae.",), rules=LATENT_STATISTICS, unused=UNUSED_STATISTICS)

VOCODER = NameMap(
    prefixes=("vocoder.",),
    rules=(
        (r"\bconv_pre\b", "conv_in"),
        (r"\bconv_post\b", "conv_out"),
        (r"\bact_post\b", "act_out"),
        (r"\bups\b", "upsamplers"),
        (r"\bresblocks\b", "resnets"),
        (r"\bdownsample\.lowpass\.filter\b", "downsample.filter"),
    ),
)

UPSAMPLER = NameMap(prefixes=("",), rules=())

# Gemma 3's text model, by the names of older Hugging Face folders, of newer ones, and of Comfy's single file. Its
# vision tower and its head over the vocabulary have no part in a context.
TEXT_ENCODER = NameMap(
    prefixes=("",),
    rules=((r"^(language_model\.model|model\.language_model|model)\.", ""),),
    unused=r"^(model\.)?(vision_tower|vision_model|multi_modal_projector)\.|^(language_model\.)?lm_head\.|^spiece_model$",
)

ONE_FILE = {
    "transformer": TRANSFORMER,
    "connectors": CONNECTORS,
    "video_vae": VIDEO_VAE,
    "audio_vae": AUDIO_VAE,
    "vocoder": VOCODER,
}
