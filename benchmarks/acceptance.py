"""Judge what the tiny model shows: `python -m benchmarks.acceptance --photographs FOLDER [--sheet FILE]`.

Asks a server of its own over HTTP, at the default size and quality, and prints a table. The photographs are those of
`training.photographs`; nothing was trained on them. The clips of the prompts are short, the others have the default
length.
"""

import argparse
import base64
import io
import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import av
import numpy as np
from PIL import Image

from benchmarks.colour_names import dominating_colour, lightness
from benchmarks.running_server import running_server
from training.photographs import cropped, load_photographs
from weights.tiny_config import TRAINED

WIDTH, HEIGHT, FRAMES, PROMPT_FRAMES = 768, 512, 121, 25
MIDDLE, LAST = FRAMES // 2, FRAMES - 1
STILL = "the camera stands still"
SHEET_SIZE = (192, 128)

COLOUR_SENTENCES = (
    "A {} bicycle leans against an old wall.",
    "Someone in a {} coat walks slowly through the crowd",
    "close-up of a {} balloon, shallow depth of field",
    "The curtains are {}, and they move gently.",
)
COLOURS = {
    "red": {"red"}, "orange": {"orange"}, "yellow": {"yellow"}, "green": {"green"}, "cyan": {"cyan"},
    "blue": {"blue"}, "purple": {"purple"}, "pink": {"pink"}, "brown": {"brown"}, "black": {"black"},
    "white": {"white"}, "grey": {"grey"},
}  # fmt: skip

# A sentence and the colours of which one has to dominate.
SCENES = (
    ("Waves roll over the ocean", {"blue", "cyan"}),
    ("a small boat far out at sea", {"blue", "cyan"}),
    ("Deep in the forest, nothing moves", {"green"}),
    ("a path through the woods", {"green"}),
    ("A couple watches the sunset", {"orange", "red", "purple", "pink"}),
    ("the last minutes before sunrise", {"orange", "red", "purple", "pink"}),
    ("A quiet village at night", {"black", "blue"}),
    ("The moon hangs above the roofs", {"black", "blue"}),
    ("Children play in the snow", {"white", "grey", "cyan", "blue"}),
    ("a cabin in deep winter", {"white", "grey", "cyan", "blue"}),
    ("A caravan crosses the desert", {"orange", "brown", "yellow"}),
    ("wind over sand dunes", {"orange", "brown", "yellow"}),
    ("Rush hour in the city", {"grey", "black"}),
    ("buildings seen from above", {"grey", "black"}),
    ("A fire crackles", {"red", "orange", "brown"}),
    ("flames in slow motion", {"red", "orange", "brown"}),
    ("cows on a meadow", {"green"}),
    ("They run across the grass", {"green"}),
    ("Leaves whirl about in autumn", {"orange", "brown", "red"}),
    ("an empty street in the rain", {"grey", "black"}),
)
DAY_AND_NIGHT = tuple(
    (sentence.format("by day"), sentence.format("at night"))
    for sentence in ("the city {}", "a beach {}", "The forest {}", "snow {}")
)
SOUNDS = (
    ("a test tone of 500 Hz", 500), ("A 1000 Hz beep", 1000), ("a sine at 2000 Hz, nothing else", 2000),
    ("A low hum fills the room", 100), ("an engine idles", 100), ("The bell is struck once", 800),
    ("A bird in the morning", 3000), ("birds and nothing else", 3000), ("he starts whistling", 2000),
    ("An alarm goes off", 900), ("a siren far away", 900), ("crickets after dark", 4000),
    ("the phone keeps ringing", 1400), ("a flute plays", 800), ("A cello plays", 200),
    ("thunder behind the hills", 100),
)  # fmt: skip
MAX_HZ_OFF = 10


@dataclass(frozen=True)
class Clip:
    frames: list[np.ndarray]
    sound: np.ndarray

    def lightness(self) -> list[float]:
        return [lightness(frame) for frame in self.frames]

    def peak_hz(self) -> float:
        spectrum = np.abs(np.fft.rfft(self.sound * np.hanning(len(self.sound))))
        return float(spectrum.argmax()) * 48000 / len(self.sound)


Generate = Callable[..., Clip]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet to this file")
    args = parser.parse_args()
    photographs = {name: cropped(p, WIDTH, HEIGHT) for name, p in load_photographs(args.photographs).items()}
    sheet: list[list[np.ndarray]] = []
    with running_server("--device", "cpu") as server:

        def generate(prompt: str, keyframes: dict[int, Image.Image] | None = None, **fields: object) -> Clip:
            body = {"prompt": prompt, "seed": 1, **fields, **images(keyframes or {}, fields.pop("strengths", {}))}
            clip = request_clip(server.url, body)
            sheet.append([clip.frames[i] for i in np.linspace(0, len(clip.frames) - 1, 6).round().astype(int)])
            return clip

        print("| | measured |\n|---|---|", flush=True)
        for measure in (judge_stills, judge_keyframes):
            print_rows(measure(generate, photographs))
        for judge in (judge_colours, judge_scenes, judge_sounds):
            print_rows(judge(generate))
    print_rows([("shipped in the package", f"{TRAINED.stat().st_size / 1e6:.1f} MB")])
    if args.sheet is not None:
        write_sheet(sheet, args.sheet)


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    for what, measured in rows:
        print(f"| {what} | {measured} |", flush=True)


def judge_stills(generate: Generate, photographs: dict[str, Image.Image]) -> Iterable[tuple[str, str]]:
    first, middle = [], []
    for photograph in photographs.values():
        clip, pixels = generate(STILL, {0: photograph}), np.asarray(photograph)
        first.append(psnr(clip.frames[0], pixels))
        middle.append(psnr(clip.frames[MIDDLE], pixels))
    names = ", ".join(f"{name} {value:.1f}" for name, value in zip(photographs, first, strict=True))
    yield f"frame 0 against {len(first)} photographs", f"{mean_and_least(first)} ({names})"
    yield f'"{STILL}": frame {MIDDLE}', mean_and_least(middle)


def judge_keyframes(generate: Generate, photographs: dict[str, Image.Image]) -> Iterable[tuple[str, str]]:
    names = list(photographs)
    at_keyframe, between, steps, weaker = [], [], [], []
    for start in range(0, len(names), 3):
        keyframes = dict(zip((0, MIDDLE, LAST), (photographs[name] for name in names[start : start + 3]), strict=True))
        clip = generate("one picture becomes the next", keyframes)
        pixels = {frame: np.asarray(picture) for frame, picture in keyframes.items()}
        at_keyframe += [psnr(clip.frames[frame], picture) for frame, picture in pixels.items()]
        for before, after in ((0, MIDDLE), (MIDDLE, LAST)):
            between.append(lies_between(clip.frames[before:after], pixels[before], pixels[after]))
        steps.append(max(np.abs(np.diff(clip.lightness()))))
        if start == 0:
            weak = generate("one picture becomes the next", keyframes, strengths={MIDDLE: 0.5})
            weaker = [psnr(shown.frames[MIDDLE], pixels[MIDDLE]) for shown in (clip, weak)]
    yield f"keyframes at 0, {MIDDLE}, {LAST}: each at its frame", mean_and_least(at_keyframe)
    yield f"frame {MIDDLE} at strength 1 and 0.5", f"{weaker[0]:.1f} and {weaker[1]:.1f} dB"
    yield "frames between two keyframes nearer to each than these to each other", f"{statistics.mean(between):.0%}"
    yield "largest step of the lightness from frame to frame", f"{max(steps):.3f} of 1"


def judge_colours(generate: Generate) -> Iterable[tuple[str, str]]:
    prompts = [(sentence.format(name), wanted) for name, wanted in COLOURS.items() for sentence in COLOUR_SENTENCES]
    yield f"dominating colour of {len(prompts)} sentences", share_right(generate, prompts)


def judge_scenes(generate: Generate) -> Iterable[tuple[str, str]]:
    yield f"colours of {len(SCENES)} scenes", share_right(generate, SCENES)
    darker = 0
    for by_day, at_night in DAY_AND_NIGHT:
        day, night = (generate(prompt, num_frames=PROMPT_FRAMES).lightness() for prompt in (by_day, at_night))
        darker += statistics.mean(night) < statistics.mean(day)
    yield "night darker than day", f"{darker} of {len(DAY_AND_NIGHT)}"


def judge_sounds(generate: Generate) -> Iterable[tuple[str, str]]:
    heard = {prompt: generate(prompt, num_frames=PROMPT_FRAMES).peak_hz() for prompt, _ in SOUNDS}
    wrong = [f"{prompt}: {heard[prompt]:.0f}" for prompt, wanted in SOUNDS if abs(heard[prompt] - wanted) > MAX_HZ_OFF]
    right = len(SOUNDS) - len(wrong)
    yield (
        f"dominating frequency of {len(SOUNDS)} sounds within {MAX_HZ_OFF} Hz",
        "; ".join([f"{right / len(SOUNDS):.0%}", *wrong]),
    )


def share_right(generate: Generate, prompts: Iterable[tuple[str, set[str]]]) -> str:
    right, wrong = 0, []
    for prompt, wanted in prompts:
        clip = generate(prompt, num_frames=PROMPT_FRAMES)
        colour = dominating_colour(clip.frames[PROMPT_FRAMES // 2])
        if colour in wanted:
            right += 1
        else:
            wrong.append(f"{prompt}: {colour}")
    return "; ".join([f"{right / (right + len(wrong)):.0%}", *wrong])


def lies_between(frames: list[np.ndarray], before: np.ndarray, after: np.ndarray) -> float:
    """Return the share of frames that are nearer to both pictures than these are to each other."""
    apart = psnr(before, after)
    return statistics.mean(psnr(frame, before) > apart and psnr(frame, after) > apart for frame in frames)


def mean_and_least(values: list[float]) -> str:
    return f"mean {statistics.mean(values):.1f} dB, least {min(values):.1f}"


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def images(keyframes: dict[int, Image.Image], strengths: object) -> dict[str, object]:
    """Return the fields of a request for these images."""
    assert isinstance(strengths, dict)
    encoded = {frame: base64.b64encode(as_png(picture)).decode() for frame, picture in keyframes.items()}
    if not encoded:
        return {}
    if list(encoded) == [0]:
        return {"input_image_b64": encoded[0]}
    return {
        "keyframes": [
            {"frame_idx": frame, "image_b64": image, "strength": strengths.get(frame, 1.0)}
            for frame, image in encoded.items()
        ]
    }


def as_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def request_clip(url: str, body: dict[str, object]) -> Clip:
    request = Request(f"{url}/generate", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        file = io.BytesIO(answer.read())
    with av.open(file) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    file.seek(0)
    with av.open(file) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return Clip(frames, sound)


def write_sheet(rows: list[list[np.ndarray]], path: Path) -> None:
    small = [[np.asarray(Image.fromarray(frame).resize(SHEET_SIZE)) for frame in row] for row in rows]
    lines = [np.concatenate(row, axis=1) for row in small]
    lines += [np.zeros_like(lines[0])] * (len(lines) % 2)
    half = len(lines) // 2
    columns = [np.concatenate(part) for part in (lines[:half], lines[half:])]
    Image.fromarray(np.concatenate(columns, axis=1)).save(path)


if __name__ == "__main__":
    main()
