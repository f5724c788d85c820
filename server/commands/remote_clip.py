"""Render a clip on a server, from a command's options."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ltx23_client import LTX23, Clip, LTX23Error, Preview, Progress

from server.commands.clip_bar import ClipBar, describe_step, format_seconds
from server.commands.clip_report import ClipReport
from server.commands.output_file import read_container
from server.commands.remote_fields import read_remote_fields
from weights.disk import replacing


def render_remotely(
    path: Path, server: str, key: str | None, *, preview: str | None = None, **options: Any
) -> ClipReport:
    """Raises SpecError, LTX23Error, OSError."""
    prompt, fields = read_remote_fields(read_container(path), **options)
    if preview is not None:
        from server.commands.preview_file import validate_preview_path

        validate_preview_path(Path(preview))
    bar = ClipBar()

    def show(event: Progress | Preview) -> None:
        if isinstance(event, Progress):
            show_progress(bar, event)
        elif preview is not None:
            with replacing(Path(preview)) as part:
                part.write_bytes(event.data)

    try:
        with LTX23(server, api_key=key, on_retry=lambda error, pause_s: show_pause(bar, 0, error, pause_s)) as client:
            clip = client.generate(prompt, on_event=show, previews=preview is not None, **fields)
    finally:
        bar.close()
    clip.save(path)
    for adjustment in clip.adjustments:
        print(f"ltx23: note: {adjustment}", file=sys.stderr)
    return report_remote_clip(path, clip)


def show_pause(bar: ClipBar, percent: float, error: LTX23Error, pause_s: float) -> None:
    """Say why nothing happens: a full queue, a server that starts."""
    bar.show(percent, f"{error}: tries again in {format_seconds(pause_s)}", show_left=False)


def show_progress(bar: ClipBar, progress: Progress) -> None:
    waits = progress.position is not None
    what = (
        f"number {progress.position} in the queue"
        if waits
        else describe_step(progress.stage, progress.step, progress.steps)
    )
    bar.show(progress.percent, what, progress.seconds_left)


def report_remote_clip(path: Path, clip: Clip) -> ClipReport:
    video = clip.video
    return ClipReport(
        file=path,
        seed=video.seed,
        width=video.width,
        height=video.height,
        frames=video.num_frames,
        fps=video.fps,
        timings_s=video.timings,
        adjustments=[asdict(adjustment) for adjustment in clip.adjustments],
    )
