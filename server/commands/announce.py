"""Messages of `ltx23 serve` on the terminal: loading, ready, and how to use the server."""

import logging
import sys
from typing import TextIO

from pipelines.memory import DEFAULT_CLIP, MemoryPlan
from server.commands.http_server import listening_url
from server.settings import Settings
from server.worker.messages import FromWorker, LoadFailed, Loading, ModelInfo, Ready, SpeedInfo

log = logging.getLogger("ltx23.serve")

TINY = """
  This is the tiny model: it shows your images at their frames, and takes colours and a tone from the prompt's words;
  everything around it is real. For real clips fetch the published weights, 55 GB, and serve them:
    ltx23 weights pull
    ltx23 serve --checkpoint hosted
"""


def describe_plan(plan: MemoryPlan) -> str:
    streamed = f", {' and '.join(sorted(plan.streamed))} streamed from host memory" if plan.streamed else ""
    kept = plan.kept(DEFAULT_CLIP)
    if any(kept.values()):
        kept_bytes = sum(plan.components[name].kept_bytes(count) for name, count in kept.items())
        streamed += f" except for {kept_bytes / 1e9:.2f} GB that fit beside a default clip"
    return (
        f"Memory: {plan.resident_bytes / 1e9:.2f} GB stay on the device{streamed}; a default clip peaks at "
        f"{plan.peak_bytes(DEFAULT_CLIP, kept) / 1e9:.2f} of {plan.capacity_bytes / 1e9:.2f} GB"
    )


def describe_speed(speed: SpeedInfo) -> str:
    compiled = f", {speed.compiled_blocks} blocks compiled" if speed.compiled_blocks else ""
    warm = f"; warm for {', '.join(speed.warm_sizes)}" if speed.warm_sizes else ""
    return f"Speed: {speed.mode}{compiled}{warm}"


class Announcer:
    def __init__(self, settings: Settings, port: int, out: TextIO | None = None) -> None:
        # Not as the default, which is evaluated while this module is imported: stderr may be another one by now.
        out = out or sys.stderr
        self._settings, self._port, self._out = settings, port, out
        self._component = ""
        self._is_terminal = out.isatty() and settings.log_format == "text"
        self.was_ready = False

    @property
    def url(self) -> str:
        return listening_url(self._settings.bind_host, self._port)

    def start(self) -> None:
        settings = self._settings
        if settings.bind_host != settings.host:
            self._print(
                f"No API key is configured, so this listens on loopback only, not on {settings.host}. To open it: set "
                "LTX23_API_KEYS or --api-keys-file, or say --allow-no-key."
            )
        elif not settings.has_key and settings.allow_no_key:
            self._print("No API key is configured: whoever reaches this port can render.")
        elif not settings.has_key:
            self._print("No API key is configured: listening on loopback only, open to every user of this machine.")
        if settings.rehearsal:
            self._print("This is a rehearsal: requests can ask for failures (X-LTX-Rehearse).")
        if settings.fast:
            self._print("Clips are rendered small and stretched to their size (--fast): for tests only.")
        if settings.deterministic_time:
            self._print("Times, durations and ids in answers are made up (--deterministic-time): for tests only.")
        self._print(f"Listening on {self.url}; /health says when the model is there.")
        what = settings.checkpoint or "the tiny model (made here)"
        if settings.enhancer == "managed":
            self._print(f"Starting SGLang with {settings.sglang_model}, and then ...")
        self._print(f"Loading {what} ...")

    def __call__(self, event: FromWorker) -> None:
        match event:
            case Loading():
                self._loading(event)
            case Ready(model):
                self._ready(model)
            case LoadFailed(message):
                self._print(f"ltx23: error: the model cannot be loaded: {message}")

    def _loading(self, event: Loading) -> None:
        """Print one line per component; on a terminal, the line counts up in place."""
        size = f"{event.done_bytes / 1e9:.2f} of {event.total_bytes / 1e9:.2f} GB" if event.total_bytes else "..."
        if self._is_terminal:
            start = "\n" if self._component and event.component != self._component else "\r"
            print(f"{start}  {event.component}: {size}\033[K", end="", file=self._out, flush=True)
        elif event.component != self._component:
            self._print(f"  {event.component}")
        self._component = event.component

    def _ready(self, model: ModelInfo) -> None:
        if self._is_terminal:
            self._print("")
        if self.was_ready:
            self._print(f"A worker is ready ({model.device}).")
            return
        self.was_ready = True
        key = ' -H "Authorization: Bearer YOUR_KEY"' if self._settings.has_key else ""
        self._print(f"\nLTX-23-Video is ready on {self.url} ({model.checkpoint}, {model.device}, {model.dtype})\n")
        sizes = ", ".join(f"{size / 1e9:.2f} GB {dtype}" for dtype, size in model.size_bytes.items())
        fp8 = f"FP8 arithmetic in {model.fp8_linears} layers" if model.fp8_linears else "no FP8 arithmetic"
        self._print(f"  Weights on the device: {sizes}; {fp8}; mp4 by {model.encoder}\n")
        self._print(f"  FP8: {model.fp8} ({model.fp8_reason})\n")
        self._print(f"  {describe_speed(model.speed)}\n")
        if model.plan:
            self._print(f"  {describe_plan(model.plan)}\n")
        for warning in model.warnings:
            self._print(f"  Note: {warning}\n")
        body = '{"prompt": "a red fox runs through deep snow"}'
        self._print(f"  curl -sS {self.url}/generate{key} -d '{body}' -o clip.mp4\n")
        self._print(f"  Docs of the API: {self.url}/docs")
        if model.is_tiny:
            self._print(TINY)

    def _print(self, text: str) -> None:
        if self._settings.log_format == "json":
            log.info(text.strip())
        else:
            print(text, file=self._out, flush=True)
