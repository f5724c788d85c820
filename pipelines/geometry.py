"""Pure arithmetic on sizes, frames and rates: pixels to latents. No torch, no wire names."""

from dataclasses import dataclass

from pipelines.spec import GenerationSpec

# LTX-2.3's video VAE: 32 x 32 pixels and 8 frames to a latent; the first latent frame holds one pixel frame.
SPATIAL_COMPRESSION = 32
TEMPORAL_COMPRESSION = 8

# 16 kHz samples, 160 to a mel frame, 4 mel frames to a latent: 25 audio latents a second.
AUDIO_LATENTS_PER_SECOND = 25


@dataclass(frozen=True)
class LatentGrid:
    """The video latent of one stage: latent frames, rows and columns."""

    frames: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        return self.frames * self.height * self.width

    @property
    def tokens_per_frame(self) -> int:
        return self.height * self.width


def latent_grid(spec: GenerationSpec, downscale: int = 1) -> LatentGrid:
    """The grid of `spec` at full size, or at 1 / `downscale` of its width and height."""
    return LatentGrid(
        frames=(spec.num_frames - 1) // TEMPORAL_COMPRESSION + 1,
        height=spec.height // (SPATIAL_COMPRESSION * downscale),
        width=spec.width // (SPATIAL_COMPRESSION * downscale),
    )


def audio_latent_length(spec: GenerationSpec) -> int:
    return round(spec.num_frames / float(spec.frame_rate) * AUDIO_LATENTS_PER_SECOND)
