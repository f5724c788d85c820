"""The state that all routes share: settings, dispatcher, workspace, videos, enhancer and image checker."""

import time
from dataclasses import dataclass, field, replace

from fastapi import Request

from enhancer.enhance import Enhancer
from enhancer.enhancement import EnhancerState
from enhancer.sglang_process import ManagedSglang
from server.edge.keys import KeyRing
from server.images.checker import ImageChecker
from server.jobs.dispatcher import Dispatcher
from server.jobs.limits import Limits
from server.requests.enhancement import enhancer_state
from server.requests.workspace import Workspace
from server.settings import Settings
from server.videos.library import Videos
from server.worker.messages import WorkerConfig


@dataclass
class Services:
    settings: Settings
    dispatcher: Dispatcher
    workspace: Workspace
    videos: Videos
    enhancer: Enhancer
    images: ImageChecker
    sglang: ManagedSglang | None = None
    started_at: float = field(default_factory=time.monotonic)

    @property
    def enhancer_state(self) -> EnhancerState:
        return enhancer_state(self.enhancer, self.sglang)

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started_at

    def drain(self) -> None:
        """Accept no more jobs and let the running ones end. Videos can still be queried."""
        self.dispatcher.drain()
        self.images.stop()

    def stop(self) -> None:
        """End every job and notify everyone who waits for one. May be called twice."""
        self.dispatcher.stop()
        self.videos.release()


def worker_configs(settings: Settings) -> tuple[WorkerConfig, ...]:
    """Return one configuration per device."""
    config = worker_config(settings)
    return tuple(replace(config, device=device) for device in settings.devices) or (config,)


def worker_config(settings: Settings) -> WorkerConfig:
    return WorkerConfig(
        cache_dir=settings.cache_dir,
        weights_dir=settings.weights_dir,
        checkpoint=settings.checkpoint,
        upsampler=settings.upscaler,
        text_encoder=settings.text_encoder,
        text_encoder_quantization=settings.text_encoder_quantization,
        companions=tuple(path for path in (settings.video_vae, settings.audio_vae, settings.text_projection) if path),
        device=settings.device,
        dtype=settings.dtype,
        fp8=settings.fp8,
        memory=settings.memory,
        vram_bytes=None if settings.vram is None else round(settings.vram * 1e9),
        stages=settings.stages,
        log_level=settings.log_level,
        log_format=settings.log_format,
    )


def limits(settings: Settings, key_ring: KeyRing) -> Limits:
    """Return the queue's limits: a single key may use the whole queue, several keys share it.

    The number of keys is checked each time, because the key file may change.
    """
    share = max(1, int(settings.queue_size * settings.key_queue_share))
    return Limits(
        queue_size=settings.queue_size,
        deadline_s=settings.deadline_s,
        grace_s=settings.grace_s,
        heartbeat_s=settings.heartbeat_s,
        owner_waiting=share,
        owner_jobs=settings.key_jobs,
        is_shared=lambda: len(key_ring) > 1,
    )


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services
