"""Render a batch in this process. The model is loaded once."""

from dataclasses import replace

from pipelines.errors import PipelineError
from server.commands.batch import Batch
from server.commands.local_clip import ConsoleTrace, load_for_clip, note_cuts, read_clip_options, report_clip


def render_batch_locally(batch: Batch) -> None:
    """Raises WeightsError, SettingsError, OSError."""
    trace, model = ConsoleTrace(keep_tensors=False, bar=batch.bar), None
    has_loras = any(clip.item.options.get("loras") for clip in batch.pending)
    try:
        for clip in batch.pending:
            try:
                config, spec = read_clip_options(clip.path, **clip.item.options)
                if model is None:
                    model = load_for_clip(replace(config, with_loras=has_loras), spec, trace)
                else:
                    note_cuts(model, spec)
                timings_s = model.render(spec, clip.path, trace)
            except PipelineError as exc:
                trace.clip_failed()
                batch.failed(clip, exc)
            else:
                trace.clip_done()
                batch.completed(clip, report_clip(clip.path, spec, timings_s))
    finally:
        trace.close()
