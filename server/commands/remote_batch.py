"""Render a batch on a server, as many clips at a time as its queue takes."""

import asyncio
from functools import partial

from ltx23_client import (
    APIError,
    AsyncLTX23,
    InputError,
    LTX23Error,
    Preview,
    Progress,
    RenderCancelled,
    RenderFailed,
    Unauthorized,
)

from pipelines.errors import SpecError
from server.commands.batch import Batch, PendingClip
from server.commands.clip_bar import describe_step
from server.commands.output_file import read_container
from server.commands.remote_clip import report_remote_clip, show_pause
from server.commands.remote_fields import read_remote_fields

# What is wrong with one clip; anything else would happen to the next one, too.
OF_ONE_CLIP = (APIError, InputError, RenderCancelled, RenderFailed, SpecError)
# For how long a clip waits for a place in a queue that others fill.
PATIENCE_S = 3600.0


def render_batch_remotely(batch: Batch, server: str, key: str | None) -> None:
    """Raises LTX23Error, OSError. Videos that are not finished by then are cancelled."""
    asyncio.run(_render_all(batch, server, key))


async def _render_all(batch: Batch, server: str, key: str | None) -> None:
    percents: dict[str, int] = {}

    def on_retry(error: LTX23Error, pause_s: float) -> None:
        show_pause(batch.bar, sum(percents.values()), error, pause_s)

    try:
        async with AsyncLTX23(server, api_key=key, retry_s=PATIENCE_S, on_retry=on_retry) as client:
            limit = asyncio.Semaphore(max(1, (await client.health()).capacity))
            async with asyncio.TaskGroup() as group:
                for clip in batch.pending:
                    group.create_task(_render(batch, client, limit, percents, clip))
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    finally:
        batch.bar.close()


async def _render(
    batch: Batch, client: AsyncLTX23, limit: asyncio.Semaphore, percents: dict[str, int], clip: PendingClip
) -> None:
    async with limit:
        percents[clip.key] = 0
        try:
            prompt, fields = read_remote_fields(read_container(clip.path), **clip.item.options)
            rendered = await client.generate(prompt, on_event=partial(_show, batch, percents, clip), **fields)
            rendered.save(clip.path)
        except Unauthorized:
            raise
        except OF_ONE_CLIP as exc:
            batch.failed(clip, exc)
        else:
            batch.completed(clip, report_remote_clip(clip.path, rendered))
        finally:
            del percents[clip.key]


def _show(batch: Batch, percents: dict[str, int], clip: PendingClip, event: Progress | Preview) -> None:
    """Show all clips that are on their way, and what the one that is being rendered is at."""
    if isinstance(event, Progress):
        percents[clip.key] = event.percent
        if event.position is None:
            batch.bar.show(sum(percents.values()), describe_step(event.stage, event.step, event.steps))


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
