"""`ltx23 enhance`: rewrite one prompt and print it on stdout."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from enhancer.enhancement import Enhancement, EnhanceRequest
from enhancer.errors import EnhancerError
from enhancer.messages import Mode
from pipelines.errors import ImageError, SpecError
from pipelines.media.image import check_image
from server.commands.streams import decode_prompt
from server.configure import create_enhancer
from server.settings import Settings, SettingsError, load_settings


def enhance(*, prompt: str, image: str | None, duration: float, **options: Any) -> int:
    path = Path(image) if image else None
    try:
        request = EnhanceRequest(decode_prompt(prompt), Mode.I2V if path else Mode.T2V, path, duration_s=duration)
        settings = load_settings(**options)
        if settings.rewriter_url is None:
            raise SettingsError("no SGLang to ask: --sglang-url / LTX23_SGLANG_URL")
        if path is not None:
            check_image(path.read_bytes())
        enhancement = asyncio.run(_enhance(settings, request))
    except (EnhancerError, ImageError, SpecError, SettingsError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    if enhancement.caption:
        print(f"the image: {enhancement.caption}", file=sys.stderr)
    for note in enhancement.notes:
        print(f"note: {note}", file=sys.stderr)
    print(enhancement.prompt)
    return 0


async def _enhance(settings: Settings, request: EnhanceRequest) -> Enhancement:
    enhancer = create_enhancer(settings)
    try:
        return await enhancer.enhance(request, required=True)
    finally:
        await enhancer.aclose()
