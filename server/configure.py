"""Turn the settings into the configurations of workers, the queue and the prompt enhancer."""

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from enhancer.captioner import Captioner, CaptionerOptions
from enhancer.enhance import Enhancer
from enhancer.enhancement import Result
from enhancer.sglang import Sglang, SglangOptions
from enhancer.sglang_install import DEFAULT_FOLDER, Installation
from enhancer.sglang_process import ManagedOptions, ManagedSglang
from server.edge.key_ring import KeyRing
from server.jobs.limits import Limits
from server.loras.catalog import LoraCatalog, NamedLora
from server.settings import Settings, parse_clip_size, parse_named_lora, setting_error
from server.worker.messages import WorkerConfig


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
        preview_vae=settings.preview_vae,
        c2pa_certificate=settings.c2pa_certificate,
        c2pa_key=settings.c2pa_key,
        device=settings.device,
        dtype=settings.dtype,
        fp8=settings.fp8,
        fp8_fast_accum=settings.fp8_fast_accum,
        memory=settings.memory,
        vram_bytes=None if settings.vram is None else round(settings.vram * 1e9),
        stages=settings.stages,
        encoder=settings.encoder,
        speed=settings.speed,
        warmup=tuple(map(parse_clip_size, settings.warmup)),
        fast=settings.fast,
        with_loras=bool(settings.lora) or settings.lora_dir is not None,
        lora_paths=tuple(lora.path for lora in named_loras(settings)),
        log_level=settings.log_level,
        log_format=settings.log_format,
    )


def lora_catalog(settings: Settings) -> LoraCatalog:
    """Return the LoRAs of the settings. Raises SettingsError if their folder is not there."""
    if settings.lora_dir is not None and not os.path.isdir(settings.lora_dir):
        raise setting_error("lora_dir", f"{settings.lora_dir} is not a folder")
    return LoraCatalog(named_loras(settings), settings.lora_dir)


def named_loras(settings: Settings) -> tuple[NamedLora, ...]:
    return tuple(NamedLora(*parse_named_lora(text)) for text in settings.lora)


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
        retry_after_s=1 if settings.deterministic_time else None,
        is_shared=lambda: len(key_ring) > 1,
    )


def create_managed(settings: Settings) -> ManagedSglang | None:
    """Create the SGLang process if the settings ask for one, else return None. Raises SettingsError if it is absent."""
    if settings.enhancer != "managed":
        return None
    args = tuple(shlex.split(settings.sglang_args))
    return ManagedSglang(ManagedOptions(_sglang_python(settings), settings.sglang_model, extra_args=args))


def _sglang_python(settings: Settings) -> Path:
    """Return the Python that has SGLang. Raises SettingsError if it is missing or its installation is incomplete."""
    python, installed = settings.sglang_python, Installation(DEFAULT_FOLDER.expanduser())
    if python is None and installed.requirement is None:
        raise setting_error("sglang_python", f"SGLang is not in {installed.folder}: `ltx23 enhancer install`")
    if python is not None and not python.exists():
        raise setting_error("sglang_python", f"{python} is not there: give the Python that has SGLang")
    return (python or installed.python).absolute()


def create_enhancer(
    settings: Settings,
    managed: ManagedSglang | None = None,
    on_result: Callable[[Result, float], None] = lambda result, seconds: None,
) -> Enhancer:
    """Create the enhancer, which is off without a language model. Raises enhancer.errors.OptionError."""
    url = managed.url if managed else settings.rewriter_url
    if url is None:
        return Enhancer(on_result=on_result)
    key = settings.sglang_api_key
    options = SglangOptions(
        url,
        settings.sglang_model,
        key.get_secret_value() if key else None,
        timeout_s=settings.enhance_timeout_s,
    )
    captioner = None
    if settings.captioner != "off":
        captioner = Captioner(CaptionerOptions(settings.captioner, settings.captioner_device))
    return Enhancer(Sglang(options), captioner, on_result=on_result)
