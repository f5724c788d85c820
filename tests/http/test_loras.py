"""LoRAs over HTTP: of the settings and of a folder, per request, in clips that one can see."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from safetensors.torch import save_file

from server.configure import worker_config
from server.settings import load_settings
from server.worker.messages import Ready
from server.worker.model import load_model
from tests.conftest import Server
from tests.http.conftest import SMALL, STRICT
from tests.http.videos import PATH, create, delete, finish
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.lora_layouts import swap_lora
from weights.errors import WeightsError
from weights.tiny import TinyFiles

RED: dict[str, Any] = SMALL | {"prompt": "a red field"}


def colour(clip: bytes) -> str:
    """Return the strongest of red and blue in the middle of a clip."""
    with av.open(io.BytesIO(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    red, _, blue = frames[len(frames) // 2].mean(axis=(0, 1))
    return "red" if red > blue + 20 else "blue" if blue > red + 20 else "neither"


@pytest.fixture(scope="module")
def client(lora_server: Server) -> Iterator[httpx.Client]:
    with lora_server.client() as client:
        yield client


@pytest.fixture
def render(client: httpx.Client) -> Callable[..., bytes]:
    def render_clip(**fields: Any) -> bytes:
        response = client.post("/generate", json=RED | fields, headers=STRICT)
        assert response.status_code == 200, response.text
        return response.content

    return render_clip


@pytest.fixture
def refusal(client: httpx.Client) -> Callable[[Any], tuple[str, str]]:
    """Return the path and the message of a refused `loras`."""

    def refuse(loras: Any) -> tuple[str, str]:
        response = client.post("/generate", json=RED | {"loras": loras})
        assert response.status_code == 422, response.text
        (error,) = response.json()["detail"]
        return ".".join(map(str, error["loc"])), error["msg"]

    return refuse


def listed(client: httpx.Client) -> dict[str, dict[str, Any]]:
    (model,) = client.get("/models").json()["data"]
    assert "lora" in model["features"]
    return {lora["name"]: lora for lora in model["loras"]}


def test_a_lora_changes_the_clips_that_ask_for_it(render: Callable[..., bytes]) -> None:
    plain = render()

    swapped = render(loras=[{"name": "swap"}])

    assert (colour(plain), colour(swapped)) == ("red", "blue")
    assert render(loras=[{"name": "swap", "strength": 0}]) == plain == render(loras=[]) == render()
    assert render(loras=[{"name": "swap", "strength": 1.0}]) == swapped
    halves = [{"name": "swap", "strength": 0.5}, {"name": "half", "strength": 0.5}]
    assert colour(render(loras=halves)) == "blue"
    assert colour(render(loras=[*halves[:1], {"name": "half", "strength": -0.5}])) == "red"


def test_answers_name_the_loras_of_a_clip(client: httpx.Client) -> None:
    sent = RED | {"loras": [{"name": "half"}, {"name": "swap", "strength": -0.25}], "return_json": True}

    answer = client.post("/generate", json=sent).json()

    assert answer["loras"] == [{"name": "half", "strength": 1.0}, {"name": "swap", "strength": -0.25}]
    assert "loras" not in client.post("/generate", json=RED | {"return_json": True}).json()


def test_models_lists_the_loras(client: httpx.Client, lora_file: Path) -> None:
    assert listed(client)["swap"] == {
        "name": "swap",
        "strength": 1.0,
        "applied": False,
        "file": lora_file.name,
        "size_bytes": lora_file.stat().st_size,
        "rank": 3,
        "error": None,
    }


def test_the_folder_is_watched(
    client: httpx.Client,
    render: Callable[..., bytes],
    refusal: Callable[[Any], tuple[str, str]],
    lora_file: Path,
    lora_dir: Path,
) -> None:
    assert "tint" not in listed(client)

    tint = lora_dir / "tint.safetensors"
    shutil.copy(lora_file, tint)
    assert listed(client)["tint"]["rank"] == 3
    assert colour(render(loras=[{"name": "tint"}])) == "blue"

    # Half as strong, in place of the first one.
    save_file({name: t * 0.5 if "lora_B" in name else t for name, t in swap_lora().items()}, lora_dir / "new")
    (lora_dir / "new").rename(tint)
    assert colour(render(loras=[{"name": "tint"}])) == "neither"

    # As while it is copied.
    tint.write_bytes(lora_file.read_bytes()[:-10])
    assert "tint.safetensors: is cut short" in listed(client)["tint"]["error"]
    assert refusal([{"name": "tint"}]) == (
        "body.loras.0.name",
        f"This LoRA cannot be used: {listed(client)['tint']['error']}",
    )

    tint.unlink()
    assert "tint" not in listed(client)
    assert refusal([{"name": "tint"}])[1].startswith("There is no LoRA of this name")


def test_files_that_are_no_loras_are_listed_with_the_reason(client: httpx.Client, lora_dir: Path) -> None:
    (lora_dir / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
    save_file(
        {"diffusion_model.some.other.layer.lora_A.weight": swap_lora().popitem()[1]}, lora_dir / "other.safetensors"
    )
    (lora_dir / "notes.txt").write_text("x")
    (lora_dir / "folder.safetensors").mkdir()

    found = listed(client)

    assert "a pickle, which can run any code and is not read" in found["old.ckpt"]["error"]
    assert "'diffusion_model.some.other.layer.lora_A.weight' belongs to no layer" in found["other"]["error"]
    assert "is a folder" in found["folder"]["error"]
    assert not any(str(lora_dir) in lora["error"] for lora in found.values() if lora["error"])
    assert "notes.txt" not in found
    for path in lora_dir.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_what_cannot_be_used_is_refused_by_name(refusal: Callable[[Any], tuple[str, str]]) -> None:
    unknown = "There is no LoRA of this name, the nearest is swap; there are half, swap"
    assert refusal([{"name": "half"}, {"name": "swop"}]) == ("body.loras.1.name", unknown)
    for path in ("../loras/swap", "/etc/passwd", "swap.safetensors", "swap\0"):
        assert refusal([{"name": path}])[0] == "body.loras.0.name"
    assert refusal([{"name": "swap"}, {"name": "swap"}]) == (
        "body.loras.1.name", "This LoRA is there already; send it once, with one strength",
    )  # fmt: skip
    assert refusal([{"name": "swap", "strength": 10.5}])[0] == "body.loras.0.strength"
    assert refusal([{"name": "swap", "strength": "strong"}])[0] == "body.loras.0.strength"
    assert refusal([{"strength": 1}]) == ("body.loras.0.name", "Field required")
    assert refusal([{"name": ""}])[0] == "body.loras.0.name"
    assert refusal([{"name": "swap"}] * 9)[0] == "body.loras"
    assert refusal({"name": "swap"})[0] == "body.loras"
    assert refusal("swap")[0] == "body.loras"


def test_unknown_fields_of_a_lora_are_reported(client: httpx.Client) -> None:
    sent = RED | {"loras": [{"name": "swap", "scale": 0.5}]}

    adjustments = json.loads(client.post("/generate", json=sent).headers["x-ltx-adjustments"])

    assert [(a["field"], a["requested"]) for a in adjustments] == [("loras.0.scale", 0.5)]
    assert client.post("/generate", json=sent, headers=STRICT).status_code == 422


@pytest.mark.parametrize(
    "form",
    [
        {"loras": '[{"name": "swap"}]'},
        {"loras[0][name]": "swap", "loras[0][strength]": "1.0"},
        {"loras[][name]": "swap", "loras[][strength]": "1.0"},
        {"extra_body": '{"loras": [{"name": "swap"}]}'},
    ],
)
def test_videos_take_loras_as_json_and_as_forms(form: dict[str, str], client: httpx.Client) -> None:
    fields = {name: str(value) for name, value in RED.items()}

    created = client.post(PATH, data=fields | form)

    assert created.status_code == 200, created.text
    assert finish(client, created.json())["status"] == "completed"
    assert colour(client.get(f"{PATH}/{created.json()['id']}/content").content) == "blue"


def test_a_remix_has_the_loras_of_its_video(client: httpx.Client) -> None:
    first = finish(client, create(client, **RED, loras=[{"name": "swap"}]))

    def remix(**fields: Any) -> dict[str, Any]:
        return client.post(f"{PATH}/{first['id']}/remix", json={"prompt": "a red field"} | fields).json()

    kept, plain = remix(), remix(loras=[])

    assert "loras" not in plain
    delete(client, plain)
    assert finish(client, kept)["loras"] == [{"name": "swap", "strength": 1.0}]
    assert colour(client.get(f"{PATH}/{kept['id']}/content").content) == "blue"


def test_a_server_may_give_a_lora_to_every_clip(
    tmp_path: Path, lora_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker names the LoRAs of each clip in place of rendering it."""
    moved = tmp_path / "moved.safetensors"
    shutil.copy(lora_file, moved)
    monkeypatch.setenv("LTX23_LORA", f"swap={moved}:1,half={lora_file}")
    with serve(program_of("names_its_loras"), tmp_path / "work", cache_dir=tmp_path) as served:
        served.told(Ready)
        client = served.client

        def loras_of(**fields: Any) -> Any:
            return client.post("/generate", json=RED | fields).json()

        assert [(lora["name"], lora["strength"], lora["applied"]) for lora in listed(client).values()] == [
            ("swap", 1.0, True), ("half", 1.0, False),
        ]  # fmt: skip
        assert loras_of() == loras_of(loras=None) == [["swap", 1.0]]
        assert loras_of(loras=[]) == []
        assert loras_of(loras=[{"name": "half", "strength": 0.5}]) == [["half", 0.5]]
        plain = finish(client, create(client, **RED, extra_body={"loras": []}))
        assert client.get(f"{PATH}/{plain['id']}/content").json() == []

        moved.unlink()
        refused = client.post("/generate", json=RED)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", "loras"]
        assert "swap, which changes every clip here, cannot be used: moved.safetensors" in refused.text
        assert loras_of(loras=[]) == []


def test_a_model_is_not_loaded_with_a_lora_of_the_settings_that_does_not_fit(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    other = {name: t[:, :-1].contiguous() if "lora_A" in name else t for name, t in swap_lora().items()}
    save_file(other, tmp_path / "other.safetensors")
    settings = load_settings(cache_dir=cache_dir, lora=f"other={tmp_path}/other.safetensors")

    with pytest.raises(WeightsError, match=r"other\.safetensors: is a LoRA of another model"):
        load_model(worker_config(settings), lambda *_: None)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("swap", "'swap' is not NAME=PATH or NAME=PATH:STRENGTH"),
        ("a/b=x.safetensors", "'a/b=x.safetensors' is not NAME=PATH"),
        ("swap=x.safetensors:11", "has a strength beyond -10 .. 10"),
    ],
)
def test_an_option_that_cannot_be_read_is_an_error(option: str, message: str, run_command) -> None:
    done = run_command("serve", "--lora", option)

    assert done.returncode == 1
    assert "LTX23_LORA / --lora: " in done.stderr
    assert message in done.stderr


def test_a_folder_that_is_not_there_is_an_error(run_command, tmp_path: Path) -> None:
    done = run_command("serve", "--lora-dir", str(tmp_path / "none"))

    assert (done.returncode, done.stderr) == (
        1, f"ltx23: error: LTX23_LORA_DIR / --lora-dir: {tmp_path}/none is not a folder\n",
    )  # fmt: skip
