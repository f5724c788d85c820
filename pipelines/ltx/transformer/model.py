"""The transformer as a whole: from noisy latents to their velocities.

Source: Lightricks/LTX-2, ltx_core/model/transformer/model.py, LTXModel, and transformer_args.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.transformer.adaln import AdaLayerNormSingle, modulation, sinusoids
from pipelines.ltx.transformer.block import (
    CROSS_ROWS,
    PROMPT_ROWS,
    STREAM_ROWS,
    PromptKeysValues,
    StreamInput,
    TransformerBlock,
)
from pipelines.ltx.transformer.config import TransformerConfig
from pipelines.ltx.transformer.guidance import Negative
from pipelines.ltx.transformer.linear import Linear
from pipelines.ltx.transformer.rope import RotaryTable, rotary_table

OUTPUT_ROWS, OUTPUT_SCALES = 2, slice(1, None)  # (shift, scale)
OUTPUT_NORM_EPS = 1e-6


class Modality(NamedTuple):
    """One stream at one step.

    latent: (F, P, C). noise: (F,), the part of sigma that each frame has: 1, or less where an image conditions it.
    sigma: (1,). context: (1, S, D), the encoded prompt. Noise and sigma are float32. negative: what guidance leads away
    from, if the stream is guided.
    """

    latent: torch.Tensor
    noise: torch.Tensor
    sigma: torch.Tensor
    context: torch.Tensor
    negative: Negative | None = None


class RotaryTables(NamedTuple):
    """The angles of all tokens: by place and time within a stream, by time alone between streams."""

    video: RotaryTable
    audio: RotaryTable
    cross_video: RotaryTable
    cross_audio: RotaryTable


# As `Transformer.forward`.
Forward = Callable[[Modality, Modality, RotaryTables, list[PromptKeysValues] | None], tuple[torch.Tensor, torch.Tensor]]


class Transformer(nn.Module):
    """LTX-2.3's denoiser."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        video, audio = config.width, config.audio_width

        self.patchify_proj = Linear(config.in_channels, video)
        self.adaln_single = AdaLayerNormSingle(video, STREAM_ROWS)
        self.prompt_adaln_single = AdaLayerNormSingle(video, PROMPT_ROWS)
        self.av_ca_video_scale_shift_adaln_single = AdaLayerNormSingle(video, CROSS_ROWS - 1)
        self.av_ca_a2v_gate_adaln_single = AdaLayerNormSingle(video, 1)

        self.audio_patchify_proj = Linear(config.audio_in_channels, audio)
        self.audio_adaln_single = AdaLayerNormSingle(audio, STREAM_ROWS)
        self.audio_prompt_adaln_single = AdaLayerNormSingle(audio, PROMPT_ROWS)
        self.av_ca_audio_scale_shift_adaln_single = AdaLayerNormSingle(audio, CROSS_ROWS - 1)
        self.av_ca_v2a_gate_adaln_single = AdaLayerNormSingle(audio, 1)

        self.transformer_blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.num_layers))

        self.scale_shift_table = nn.Parameter(torch.empty(OUTPUT_ROWS, video))
        self.proj_out = Linear(video, config.out_channels)
        self.audio_scale_shift_table = nn.Parameter(torch.empty(OUTPUT_ROWS, audio))
        self.audio_proj_out = Linear(audio, config.audio_out_channels)

    @property
    def dtype(self) -> torch.dtype:
        return self.patchify_proj.weight.dtype

    def rotary_tables(self, video_coords: torch.Tensor, audio_coords: torch.Tensor) -> RotaryTables:
        """Return the angles of the tokens of one clip; they stay the same from step to step.

        video_coords: (1, 3, T, 2). audio_coords: (1, 1, T, 2). Both as in `rope`.
        """
        config = self.config
        place = (config.pos_embed_max_pos, config.base_height, config.base_width)
        audio_time = (config.audio_pos_embed_max_pos,)
        time = (max(place[0], audio_time[0]),)
        heads, audio_heads, theta = config.num_attention_heads, config.audio_num_attention_heads, config.rope_theta
        cross = (time, config.audio_width, audio_heads, theta)
        return RotaryTables(
            video=rotary_table(video_coords, place, config.width, heads, theta),
            audio=rotary_table(audio_coords, audio_time, config.audio_width, audio_heads, theta),
            cross_video=rotary_table(video_coords[:, :1], *cross),
            cross_audio=rotary_table(audio_coords, *cross),
        )

    def prompt_bytes(self, rows: int) -> int:
        """Return the size of the keys and values that `forward` keeps of a prompt, or of a negative prompt."""
        config = self.config
        return 2 * config.num_layers * rows * (config.width + config.audio_width) * self.dtype.itemsize

    def forward(
        self,
        video: Modality,
        audio: Modality,
        rotary: RotaryTables,
        prompt: list[PromptKeysValues] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the velocity of both streams, (F, P, C).

        rotary: of the tokens of both, from `rotary_tables`. prompt: what an earlier step of the same contexts and
        sigmas kept, which is not computed again. An empty list is filled; with None nothing is kept.
        """
        video_input, video_embedded = self._embed(
            video,
            audio.sigma,
            self.adaln_single,
            self.prompt_adaln_single,
            self.av_ca_video_scale_shift_adaln_single,
            self.av_ca_a2v_gate_adaln_single,
            (rotary.video, rotary.cross_video),
        )
        audio_input, audio_embedded = self._embed(
            audio,
            video.sigma,
            self.audio_adaln_single,
            self.audio_prompt_adaln_single,
            self.av_ca_audio_scale_shift_adaln_single,
            self.av_ca_v2a_gate_adaln_single,
            (rotary.audio, rotary.cross_audio),
        )
        video_tokens, audio_tokens = self.patchify_proj(video.latent), self.audio_patchify_proj(audio.latent)
        known, computed = iter(prompt or ()), []
        for block in self.transformer_blocks:
            video_tokens, audio_tokens, keys_values = block(
                video_tokens, audio_tokens, video_input, audio_input, next(known, None)
            )
            if prompt is not None:
                computed.append(keys_values)
            del keys_values
        if prompt is not None:
            prompt[:] = computed
        return (
            self._project_out(video_tokens, self.scale_shift_table, video_embedded, self.proj_out),
            self._project_out(audio_tokens, self.audio_scale_shift_table, audio_embedded, self.audio_proj_out),
        )

    def _embed(
        self,
        stream: Modality,
        other_sigma: torch.Tensor,
        adaln: AdaLayerNormSingle,
        prompt_adaln: AdaLayerNormSingle,
        cross_adaln: AdaLayerNormSingle,
        gate_adaln: AdaLayerNormSingle,
        rotary: tuple[RotaryTable, RotaryTable],
    ) -> tuple[StreamInput, torch.Tensor]:
        """Return what the blocks need of a stream, and the embedding of its noise for the output.

        Between the streams, scale and shift go by the noise of a frame, the gate by the sigma of the other stream. The
        reference does so since May 2026; before, all three went by one of the two.
        """
        config, frames = self.config, len(stream.noise)
        timestep = stream.sigma * config.timestep_scale_multiplier
        gate_timestep = other_sigma * config.cross_attn_timestep_scale_multiplier
        embedded = sinusoids(torch.cat([timestep * stream.noise, timestep, gate_timestep])).to(self.dtype)
        noise, sigma, gate_sigma = torch.split(embedded, [frames, 1, 1])
        rows, output = adaln(noise)
        gate, _ = gate_adaln(gate_sigma)
        cross_rows = torch.cat([cross_adaln(noise)[0], gate.expand(frames, -1, -1, -1)], dim=1)
        return StreamInput(rows, prompt_adaln(sigma)[0], cross_rows, stream.context, *rotary, stream.negative), output

    def _project_out(
        self, x: torch.Tensor, table: torch.Tensor, embedded: torch.Tensor, projection: nn.Linear
    ) -> torch.Tensor:
        shift, scale = modulation(table, embedded, OUTPUT_SCALES)
        normed = F.layer_norm(x, x.shape[-1:], eps=OUTPUT_NORM_EPS)
        velocity: torch.Tensor = projection(torch.addcmul(shift, normed, scale))
        return velocity
