"""A block: self-attention, attention to the prompt, attention between video and sound, feed forward.

Source: Lightricks/LTX-2, ltx_core/model/transformer/transformer.py, BasicAVTransformerBlock.
"""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.transformer.adaln import modulation
from pipelines.ltx.transformer.attention import Attention, GuidedKeysValues, KeysValues
from pipelines.ltx.transformer.config import TransformerConfig
from pipelines.ltx.transformer.feed_forward import FeedForward
from pipelines.ltx.transformer.guidance import Negative
from pipelines.ltx.transformer.rope import RotaryTable

# The rows of a stream's table: (shift, scale, gate) of three sublayers. The one at the prompt modulates queries alone.
SELF_ATTENTION, FEED_FORWARD, PROMPT_ATTENTION = slice(0, 3), slice(3, 6), slice(6, 9)
STREAM_ROWS, STREAM_SCALES = 9, slice(1, None, 3)

# Of the prompt: (shift, scale).
PROMPT_ROWS, PROMPT_SCALES = 2, slice(1, None)

# Of a stream in cross-attention: (scale, shift) in audio-to-video, (scale, shift) in video-to-audio, and the gate of
# what is added to this stream.
CROSS_ROWS, CROSS_SCALES = 5, slice(0, 4, 2)


class StreamInput(NamedTuple):
    """The inputs of every block from one stream, apart from its tokens.

    rows: (F, 9, 1, D). prompt_rows: (1, 2, 1, D). cross_rows: (F, 5, 1, D). context: (1, S, D), the encoded prompt.
    negative: what guidance leads away from, if the stream is guided.
    """

    rows: torch.Tensor
    prompt_rows: torch.Tensor
    cross_rows: torch.Tensor
    context: torch.Tensor
    rotary: RotaryTable
    cross_rotary: RotaryTable
    negative: Negative | None = None


class PromptKeysValues(NamedTuple):
    """The keys and values of the prompt in one block. They depend on the prompt and sigma alone.

    A guided stream has those of the negative prompt, too.
    """

    video: KeysValues | GuidedKeysValues
    audio: KeysValues | GuidedKeysValues


class TransformerBlock(nn.Module):
    """One of 48 blocks."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        video, audio, self._eps = config.width, config.audio_width, config.norm_eps
        heads = (config.num_attention_heads, config.attention_head_dim, config.norm_eps)
        audio_heads = (config.audio_num_attention_heads, config.audio_attention_head_dim, config.norm_eps)

        self.attn1 = Attention(video, video, *heads)
        self.attn2 = Attention(video, config.cross_attention_dim, *heads)
        self.ff = FeedForward(video)
        self.scale_shift_table = nn.Parameter(torch.empty(STREAM_ROWS, video))
        self.prompt_scale_shift_table = nn.Parameter(torch.empty(PROMPT_ROWS, video))

        self.audio_attn1 = Attention(audio, audio, *audio_heads)
        self.audio_attn2 = Attention(audio, config.audio_cross_attention_dim, *audio_heads)
        self.audio_ff = FeedForward(audio)
        self.audio_scale_shift_table = nn.Parameter(torch.empty(STREAM_ROWS, audio))
        self.audio_prompt_scale_shift_table = nn.Parameter(torch.empty(PROMPT_ROWS, audio))

        # The queries come from the stream that is changed.
        self.audio_to_video_attn = Attention(video, audio, *audio_heads)
        self.video_to_audio_attn = Attention(audio, video, *audio_heads)
        self.scale_shift_table_a2v_ca_video = nn.Parameter(torch.empty(CROSS_ROWS, video))
        self.scale_shift_table_a2v_ca_audio = nn.Parameter(torch.empty(CROSS_ROWS, audio))

    def forward(
        self,
        video: torch.Tensor,
        audio: torch.Tensor,
        video_input: StreamInput,
        audio_input: StreamInput,
        prompt: PromptKeysValues | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, PromptKeysValues]:
        """Return the tokens of both streams, (F, P, D), and the prompt's keys and values, computed unless given."""
        if prompt is None:
            prompt = self.project_prompt(video_input, audio_input)
        video, audio = self.transform(video, audio, video_input, audio_input, prompt)
        return video, audio, prompt

    def compile(self, **options: Any) -> None:
        """Compile the two parts of the forward pass. All blocks with the same types of layers share the code."""
        self.project_prompt = torch.compile(self.project_prompt, **options)  # type: ignore[method-assign]
        self.transform = torch.compile(self.transform, **options)  # type: ignore[method-assign]

    def project_prompt(self, video_input: StreamInput, audio_input: StreamInput) -> PromptKeysValues:
        return PromptKeysValues(
            self._keys_values(self.attn2, self.prompt_scale_shift_table, video_input),
            self._keys_values(self.audio_attn2, self.audio_prompt_scale_shift_table, audio_input),
        )

    def transform(
        self,
        video: torch.Tensor,
        audio: torch.Tensor,
        video_input: StreamInput,
        audio_input: StreamInput,
        prompt: PromptKeysValues,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows = modulation(self.scale_shift_table, video_input.rows, STREAM_SCALES)
        audio_rows = modulation(self.audio_scale_shift_table, audio_input.rows, STREAM_SCALES)

        video = self._attend_to_itself(self.attn1, video, rows[SELF_ATTENTION], video_input.rotary)
        audio = self._attend_to_itself(self.audio_attn1, audio, audio_rows[SELF_ATTENTION], audio_input.rotary)

        video = self._attend_to_prompt(self.attn2, video, rows[PROMPT_ATTENTION], prompt.video, video_input.negative)
        audio = self._attend_to_prompt(
            self.audio_attn2, audio, audio_rows[PROMPT_ATTENTION], prompt.audio, audio_input.negative
        )

        video, audio = self._attend_to_each_other(video, audio, video_input, audio_input)

        video = self._feed_forward(self.ff, video, rows[FEED_FORWARD])
        audio = self._feed_forward(self.audio_ff, audio, audio_rows[FEED_FORWARD])
        return video, audio

    def _keys_values(
        self, attention: Attention, table: torch.Tensor, stream: StreamInput
    ) -> KeysValues | GuidedKeysValues:
        shift, scale = modulation(table, stream.prompt_rows, PROMPT_SCALES)
        prompt = attention.keys_values(torch.addcmul(shift, stream.context, scale))
        if stream.negative is None:
            return prompt
        return GuidedKeysValues(*prompt, *attention.keys_values(torch.addcmul(shift, stream.negative.context, scale)))

    def _attend_to_itself(
        self, attention: Attention, x: torch.Tensor, rows: tuple[torch.Tensor, ...], rotary: RotaryTable
    ) -> torch.Tensor:
        shift, scale, gate = rows
        return torch.addcmul(x, attention(torch.addcmul(shift, self._norm(x), scale), rotary), gate)

    def _attend_to_prompt(
        self,
        attention: Attention,
        x: torch.Tensor,
        rows: tuple[torch.Tensor, ...],
        prompt: KeysValues | GuidedKeysValues,
        negative: Negative | None,
    ) -> torch.Tensor:
        shift, scale, gate = rows
        normed = torch.addcmul(shift, self._norm(x), scale)
        if isinstance(prompt, GuidedKeysValues):
            assert negative is not None
            found = attention.attend_guided(prompt, normed, negative.strengths)
        else:
            found = attention.attend_to(prompt, normed)
        return torch.addcmul(x, found, gate)

    def _attend_to_each_other(
        self, video: torch.Tensor, audio: torch.Tensor, video_input: StreamInput, audio_input: StreamInput
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add to each stream what it finds in the other one, both as they were before."""
        normed, audio_normed = self._norm(video), self._norm(audio)
        a2v_scale, a2v_shift, v2a_scale, v2a_shift, a2v_gate = modulation(
            self.scale_shift_table_a2v_ca_video, video_input.cross_rows, CROSS_SCALES
        )
        audio_a2v_scale, audio_a2v_shift, audio_v2a_scale, audio_v2a_shift, v2a_gate = modulation(
            self.scale_shift_table_a2v_ca_audio, audio_input.cross_rows, CROSS_SCALES
        )
        heard = self.audio_to_video_attn.attend_to(
            self.audio_to_video_attn.keys_values(
                torch.addcmul(audio_a2v_shift, audio_normed, audio_a2v_scale), audio_input.cross_rotary
            ),
            torch.addcmul(a2v_shift, normed, a2v_scale),
            video_input.cross_rotary,
        )
        video = torch.addcmul(video, heard, a2v_gate)
        seen = self.video_to_audio_attn.attend_to(
            self.video_to_audio_attn.keys_values(torch.addcmul(v2a_shift, normed, v2a_scale), video_input.cross_rotary),
            torch.addcmul(audio_v2a_shift, audio_normed, audio_v2a_scale),
            audio_input.cross_rotary,
        )
        return video, torch.addcmul(audio, seen, v2a_gate)

    def _feed_forward(self, layer: FeedForward, x: torch.Tensor, rows: tuple[torch.Tensor, ...]) -> torch.Tensor:
        shift, scale, gate = rows
        return torch.addcmul(x, layer(torch.addcmul(shift, self._norm(x), scale)), gate)

    def _norm(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, x.shape[-1:], eps=self._eps)
