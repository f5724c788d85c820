"""Use a server on port 8000 of this network namespace: `ready`, `page` or `clip FILE`."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

from deploy.try_image.service import KEY

URL = "http://127.0.0.1:8000"
CLIP = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}
VIDEO, SOUND = "h264,256,256,9", "aac"


def check_ready() -> None:
    try:
        with urllib.request.urlopen(f"{URL}/health", timeout=10):
            return
    except OSError as exc:  # a status of 503 is one, too
        sys.exit(f"not ready: {exc}")


def load_page() -> None:
    """Load `/` and everything that it names."""
    with urllib.request.urlopen(f"{URL}/", timeout=10) as answer:
        names = re.findall(r'(?:src|href)="(page/[^"]+)"', answer.read().decode())
    if not names:
        sys.exit("the page at / names no files")
    for name in names:
        with urllib.request.urlopen(urljoin(f"{URL}/", name), timeout=10) as answer:
            if not answer.read():
                sys.exit(f"{name} is empty")


def render(path: Path) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{URL}/generate", json.dumps(CLIP).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            path.write_bytes(answer.read())
    except urllib.error.HTTPError as exc:
        sys.exit(f"POST /generate was answered {exc.code}: {exc.read().decode(errors='replace')}")
    found = probe(path, "v:0", "codec_name,width,height,nb_read_frames"), probe(path, "a:0", "codec_name")
    if found != (VIDEO, SOUND):
        sys.exit(f"the clip is {found}, not {(VIDEO, SOUND)}")


def probe(path: Path, stream: str, entries: str) -> str:
    options = ["-v", "error", "-count_frames", "-select_streams", stream, "-of", "csv=print_section=0"]
    command = ["ffprobe", *options, "-show_entries", f"stream={entries}", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ready"]:
            check_ready()
        case ["page"]:
            load_page()
        case ["clip", name]:
            render(Path(name))
        case _:
            sys.exit(f"unknown: {sys.argv[1:]}")
