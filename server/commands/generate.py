"""`ltx23 generate`: render one clip to a file, in this process or on a server."""

import json
import sys
from pathlib import Path
from typing import Any

from pipelines.errors import PipelineError, SpecError
from server.commands.clip_report import ClipReport
from server.commands.open_file import open_file
from server.commands.output_file import choose_file, slug
from server.commands.subcommands import INTERRUPTED
from server.settings import SettingsError
from weights.errors import WeightsError


def generate(
    *,
    output: str | None,
    container: str | None,
    server: str | None,
    key: str | None,
    as_json: bool,
    opens: bool,
    **options: Any,
) -> int:
    # Errors of the client; it loads httpx, which takes a tenth of a second.
    from ltx23_client import LTX23Error

    try:
        options["prompt"] = choose_prompt(options.pop("prompt_argument"), options["prompt"])
        path = choose_file(output, container, f"{slug(options['prompt'])}-{options['seed']}")
        existed = path.exists()
        report = _render(path, server, key, options)
    except (PipelineError, WeightsError, SettingsError, LTX23Error, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ltx23: interrupted; no clip was written", file=sys.stderr)
        return INTERRUPTED
    if existed:
        print(f"ltx23: note: {path} was there before and has been replaced", file=sys.stderr)
    print(json.dumps(report.to_json()) if as_json else report)
    if opens:
        show_clip(path)
    return 0


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


def _render(path: Path, server: str | None, key: str | None, options: dict[str, Any]) -> ClipReport:
    if server is not None:
        from server.commands.remote_clip import render_remotely

        return render_remotely(path, server, key, **options)
    from server.commands.local_clip import render_locally
    from server.process.torch_environment import configure_allocator, wait_passively

    wait_passively()
    configure_allocator()
    return render_locally(path, **options)
