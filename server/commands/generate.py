"""`ltx23 generate`: render a clip to a file, or many to a folder, in this process or on a server."""

import json
import sys
from pathlib import Path
from typing import Any

from pipelines.errors import PipelineError, SpecError
from pipelines.spec import Container
from server.commands.batch import Batch
from server.commands.batch_items import BatchError, read_images, read_prompts
from server.commands.clip_report import ClipReport
from server.commands.manifest import only_writer
from server.commands.open_file import open_file
from server.commands.output_file import choose_file, choose_folder, slug
from server.commands.subcommands import INTERRUPTED
from server.settings import SettingsError
from weights.errors import WeightsError

# Options for a single clip.
OF_ONE_CLIP = {"preview": "--preview", "save_latents": "--save-latents"}


def generate(*, prompts: Path | None, images: Path | None, as_json: bool, **options: Any) -> int:
    # Errors of the client; it loads httpx, which takes a tenth of a second.
    from ltx23_client import LTX23Error

    try:
        if prompts is None and images is None:
            return generate_one(as_json=as_json, **options)
        return generate_many(prompts, images, as_json=as_json, **options)
    except (PipelineError, WeightsError, SettingsError, LTX23Error, BatchError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1


def generate_one(
    *,
    output: str | None,
    container: str | None,
    server: str | None,
    key: str | None,
    as_json: bool,
    opens: bool,
    **options: Any,
) -> int:
    """Raises PipelineError, WeightsError, SettingsError, LTX23Error, OSError."""
    options["prompt"] = choose_prompt(options.pop("prompt_argument"), options["prompt"])
    path = choose_file(output, container, f"{slug(options['prompt'])}-{options['seed']}")
    existed = path.exists()
    try:
        report = _render(path, server, key, options)
    except KeyboardInterrupt:
        print("ltx23: interrupted; no clip was written", file=sys.stderr)
        return INTERRUPTED
    if existed:
        print(f"ltx23: note: {path} was there before and has been replaced", file=sys.stderr)
    print(json.dumps(report.to_json()) if as_json else report)
    if opens:
        show_clip(path)
    return 0


def generate_many(
    prompts: Path | None,
    images: Path | None,
    *,
    output: str | None,
    container: str | None,
    server: str | None,
    key: str | None,
    as_json: bool,
    opens: bool,
    **options: Any,
) -> int:
    """Raises BatchError, WeightsError, SettingsError, LTX23Error, OSError."""
    single = [OF_ONE_CLIP[name] for name in OF_ONE_CLIP if options.pop(name) is not None] + ["--open"] * opens
    if single:
        raise SpecError(single[0].removeprefix("--"), "is for a single clip, and cannot be given with many")
    argument, option = options.pop("prompt_argument"), options.pop("prompt")
    if prompts is not None:
        if argument is not None or option is not None:
            raise SpecError("prompt", "cannot be given with --prompts, whose lines have their own")
        items = read_prompts(prompts, options)
    else:
        assert images is not None
        items = read_images(images, {**options, "prompt": choose_prompt(argument, option)})
    folder = choose_folder(output)
    with only_writer(folder):
        batch = Batch(items, folder, container or Container.MP4)
        try:
            _render_batch(batch, server, key)
        except KeyboardInterrupt:
            print(f"ltx23: interrupted; {batch.progress}; the same command goes on from there", file=sys.stderr)
            return INTERRUPTED
    print(json.dumps(batch.to_json()) if as_json else batch)
    return 1 if batch.has_failures else 0


def choose_prompt(argument: str | None, option: str | None) -> str:
    """Return the prompt, which is given before the options or as one of them. Raises SpecError."""
    if argument is not None and option is not None:
        raise SpecError("prompt", "is given twice: as an argument, and as --prompt")
    prompt = option if argument is None else argument
    if prompt is None:
        raise SpecError("prompt", 'is missing, as in: ltx23 generate "a red fox"')
    return prompt


def show_clip(path: Path) -> None:
    try:
        open_file(path)
    except OSError as exc:
        print(f"ltx23: note: {path} cannot be opened: {exc.strerror or exc}", file=sys.stderr)


def _render_batch(batch: Batch, server: str | None, key: str | None) -> None:
    if not batch.pending:
        return
    if server is not None:
        from server.commands.remote_batch import render_batch_remotely

        render_batch_remotely(batch, server, key)
        return
    from server.commands.local_batch import render_batch_locally

    _prepare_torch()
    render_batch_locally(batch)


def _render(path: Path, server: str | None, key: str | None, options: dict[str, Any]) -> ClipReport:
    if server is not None:
        from server.commands.remote_clip import render_remotely

        return render_remotely(path, server, key, **options)
    from server.commands.local_clip import render_locally

    _prepare_torch()
    return render_locally(path, **options)


def _prepare_torch() -> None:
    from server.process.torch_environment import configure_allocator, wait_passively

    wait_passively()
    configure_allocator()
