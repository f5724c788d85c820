"""Names from the registry in place of paths: the files that they mean, and the errors if these are missing."""

from pathlib import Path

import pytest

from server.commands.weight_names import resolve_weights
from server.settings import Settings, SettingsError, load_settings
from weights.registry import GEMMA, GEMMA_FP8, REGISTRY, UPSCALER, Part, Role
from weights.store import Store

HOSTED = {part.role: part for part in REGISTRY.find("hosted").parts}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "weights")


def put(store: Store, *parts: Part) -> None:
    """Write sparse files of the published sizes, which is all that a name checks."""
    for part in parts:
        path = store.path(part) if part.file else store.path(part) / "model.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(part.file.size_bytes if part.file else 1)


def settings(store: Store, **options: object) -> Settings:
    return load_settings(weights_dir=store.root, **options)


def paths(found: Settings) -> dict[str, Path]:
    return {role.value: path for role in Role if (path := getattr(found, role.value)) is not None}


def test_the_name_of_a_set_selects_all_its_parts(store: Store) -> None:
    put(store, *HOSTED.values())

    found = resolve_weights(settings(store, checkpoint="hosted"))

    assert paths(found) == {role.value: store.path(part) for role, part in HOSTED.items()}


def test_parts_that_are_given_are_not_replaced(store: Store, tmp_path: Path) -> None:
    put(store, *(part for role, part in HOSTED.items() if role not in (Role.UPSCALER, Role.TEXT_ENCODER)), GEMMA_FP8)
    upscaler = tmp_path / "mine.safetensors"

    found = resolve_weights(settings(store, checkpoint="hosted", upscaler=upscaler, text_encoder="gemma-fp8"))

    assert found.upscaler == upscaler
    assert found.text_encoder == store.path(GEMMA_FP8)
    assert found.video_vae == store.path(HOSTED[Role.VIDEO_VAE])


def test_a_single_stage_needs_no_upscaler(store: Store) -> None:
    put(store, *(part for role, part in HOSTED.items() if role != Role.UPSCALER))

    assert resolve_weights(settings(store, checkpoint="hosted", stages=1)).upscaler is None
    with pytest.raises(SettingsError, match=r"LTX23_UPSCALER / --upscaler: hosted: .*-x2-1\.1\.safetensors is missing"):
        resolve_weights(settings(store, checkpoint="hosted"))


def test_each_option_accepts_the_names_of_its_role(store: Store, tmp_path: Path) -> None:
    put(store, *HOSTED.values())
    file = tmp_path / "transformer.safetensors"
    options = {role.value: "hosted" for role in HOSTED if role != Role.CHECKPOINT}

    found = resolve_weights(settings(store, checkpoint=file, **options))

    assert paths(found) == {role.value: store.path(part) for role, part in HOSTED.items()} | {"checkpoint": file}


def test_without_names_nothing_changes(store: Store, tmp_path: Path) -> None:
    given = settings(store, checkpoint=tmp_path / "absent", text_encoder="absent/gemma", upscaler="absent.safetensors")

    assert resolve_weights(given) == given
    assert resolve_weights(settings(store)) == settings(store)


def test_a_path_wins_over_a_name(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, *HOSTED.values())
    monkeypatch.chdir(tmp_path)
    Path("hosted").mkdir()

    assert paths(resolve_weights(settings(store, checkpoint="hosted"))) == {"checkpoint": Path("hosted")}


def test_a_set_without_a_file_for_a_role_is_not_a_name_for_it(store: Store) -> None:
    """The checkpoint of such a set contains the part."""
    assert list(REGISTRY.names_of(Role.VIDEO_VAE)) == ["hosted"]
    assert list(REGISTRY.names_of(Role.TEXT_ENCODER)) == [
        "hosted",
        "bf16",
        "fp8",
        "gemma",
        "gemma-bnb-4bit",
        "gemma-fp8",
    ]
    with pytest.raises(SettingsError, match=r"--video-vae: 'bf16' is neither .* nor a name; names are hosted$"):
        resolve_weights(settings(store, video_vae="bf16"))


@pytest.mark.parametrize(
    ("size_bytes", "suffix", "told"), [(5, "", "there, but wrong size"), (5, ".part", "there, but partial")]
)
def test_an_incomplete_set_is_refused_with_the_command_that_fetches_it(
    size_bytes: int, suffix: str, told: str, store: Store
) -> None:
    put(store, GEMMA)
    path = store.path(UPSCALER)
    path.parent.mkdir(parents=True)
    path.with_name(path.name + suffix).write_bytes(bytes(size_bytes))

    with pytest.raises(SettingsError) as caught:
        resolve_weights(settings(store, upscaler="bf16", text_encoder="gemma"))

    command = f"ltx23 weights pull bf16 --text-encoder gemma --weights-dir {store.root}"
    assert str(caught.value) == f"LTX23_UPSCALER / --upscaler: bf16: {path} is {told}; fetch it with: {command}"


def test_the_fetch_command_includes_a_text_encoder_given_by_name(store: Store) -> None:
    put(store, *(part for part in REGISTRY.find("fp8").parts if part.role != Role.TEXT_ENCODER))

    with pytest.raises(SettingsError, match=r"fetch it with: ltx23 weights pull fp8 --text-encoder gemma-bnb-4bit --"):
        resolve_weights(settings(store, checkpoint="fp8", text_encoder="gemma-bnb-4bit"))


def test_names_work_in_environment_variables(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, *REGISTRY.find("bf16").parts)
    monkeypatch.setenv("LTX23_CHECKPOINT", "bf16")
    monkeypatch.setenv("LTX23_WEIGHTS_DIR", str(store.root))

    assert resolve_weights(load_settings()).text_encoder == store.path(GEMMA)
