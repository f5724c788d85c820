"""`ltx23 weights`: the files that it fetches, keeps and lists."""

import json
from pathlib import Path

from tests.weights.conftest import Shell
from tests.weights.hub import Hub
from tests.weights.small_world import (
    COMMIT,
    DEEP_PATH,
    ENCODER_FILES,
    ENCODER_REPO,
    FOLDER_FILES,
    FOLDER_REPO,
    LICENSE,
    LOADED_FILES,
    MODEL,
    MODEL_PATH,
    SHARD,
    SHARD_PATH,
    TOKEN,
    WHOLE_FOLDER,
)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_pull_fetches_the_set_and_the_next_makes_no_request(hub: Hub, shell: Shell) -> None:
    first = shell.run("pull", "both")

    assert (first.returncode, first.stderr) == (0, "")
    assert "maker/video/models/model.safetensors: 1.5 MB, verified" in first.stdout
    assert first.stdout.endswith(f"both is complete in {shell.weights_dir}\n")
    assert shell.model.read_bytes() == MODEL
    encoder = shell.weights_dir / ENCODER_REPO
    assert files_below(encoder) == {*LOADED_FILES, ".published.json"}
    assert all((encoder / path).read_bytes() == ENCODER_FILES[path] for path in LOADED_FILES)

    hub.seen.clear()
    second = shell.run("pull", "both")

    assert (second.returncode, hub.seen) == (0, [])


def test_the_token_goes_to_the_hub_and_not_to_its_storage(hub: Hub, shell: Shell) -> None:
    assert shell.run("pull", "both").returncode == 0

    sent = {seen.server: seen.authorization for seen in hub.seen}
    assert sent == {"hub": f"Bearer {TOKEN}", "redirect": f"Bearer {TOKEN}", "storage": None}


def test_a_pull_records_sizes_and_hashes_from_the_hub(shell: Shell) -> None:
    shell.run("pull", "both")

    record = json.loads((shell.weights_dir / ENCODER_REPO / ".published.json").read_text())
    assert set(record["verified"]) == LOADED_FILES
    assert {entry["commit"] for entry in record["files"].values()} == {COMMIT}
    assert all(len(entry["sha256"]) == 64 for entry in record["files"].values())


def test_a_pull_stays_at_its_commit_when_main_moves(hub: Hub, shell: Shell) -> None:
    shell.run("pull", "both")
    shard = shell.weights_dir / ENCODER_REPO / SHARD_PATH
    shard.unlink()
    repo = hub.repos[ENCODER_REPO]
    repo.main = "d" * 40
    repo.commits[repo.main] = dict.fromkeys(ENCODER_FILES, b"another version")

    assert shell.run("pull", "both").returncode == 0
    assert shard.read_bytes() == SHARD


def test_a_file_that_is_already_there_is_verified_and_not_fetched(hub: Hub, shell: Shell) -> None:
    shell.model.parent.mkdir(parents=True)
    shell.model.write_bytes(MODEL)

    assert "unverified" in shell.run("list").stdout
    assert shell.run("pull", HF_HUB_OFFLINE="1").returncode == 0
    assert hub.seen == []
    assert "unverified" not in shell.run("list").stdout


def test_a_folder_that_is_partly_there_is_completed(hub: Hub, shell: Shell) -> None:
    encoder = shell.weights_dir / ENCODER_REPO
    encoder.mkdir(parents=True)
    (encoder / SHARD_PATH).write_bytes(SHARD)

    assert "nothing is known to verify it against" in shell.run("verify", "both").stdout
    assert shell.run("pull", "both").returncode == 0
    assert hub.gets(SHARD_PATH) == []
    assert shell.run("verify", "both").returncode == 0


def test_a_folder_is_fetched_with_its_subfolders_at_its_commit(shell: Shell) -> None:
    folder = shell.weights_dir / FOLDER_REPO
    where = shell.run("where", "folder")
    pulled = shell.run("pull", "folder")

    assert where.stdout.startswith(f"checkpoint      {folder}\n")
    assert (pulled.returncode, pulled.stderr) == (0, f"ltx23: {LICENSE}\n")
    assert files_below(folder) == {*WHOLE_FOLDER, ".published.json"}
    assert all((folder / path).read_bytes() == FOLDER_FILES[path] for path in WHOLE_FOLDER)
    verified = shell.run("verify", "folder")
    assert (verified.returncode, verified.stdout.count("ok: ")) == (0, 4)
    assert "folder: a checkpoint that is a folder\n  complete, about 200.0 kB in all" in shell.run("list").stdout

    (folder / DEEP_PATH).write_bytes(b"?" * 200_000)
    assert f"bad: {folder / DEEP_PATH} has the sha256 " in shell.run("verify", "folder").stdout


def test_the_licence_is_shown_before_anything_is_fetched(shell: Shell) -> None:
    refused = shell.run("pull", "folder", FREE_BYTES="0")

    assert refused.stderr.startswith(f"ltx23: {LICENSE}\nltx23: error: ")
    assert str(LICENSE) == "The folder is under the Makers' License, https://maker.example/license: makers pay"


def test_a_subfolder_that_is_already_there_is_not_fetched(hub: Hub, shell: Shell) -> None:
    path = shell.weights_dir / FOLDER_REPO / DEEP_PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(FOLDER_FILES[DEEP_PATH])

    assert "folder: a checkpoint that is a folder\n  unverified" in shell.run("list").stdout
    assert shell.run("pull", "folder").returncode == 0
    assert hub.gets(DEEP_PATH) == []


def test_a_file_with_other_content_is_named_and_kept(hub: Hub, shell: Shell) -> None:
    shell.model.parent.mkdir(parents=True)
    shell.model.write_bytes(MODEL[::-1])

    done = shell.run("pull")

    assert done.returncode == 1
    assert f"ltx23: error: {shell.model} has the sha256 " in done.stderr
    assert "delete it" in done.stderr
    assert shell.model.read_bytes() == MODEL[::-1]
    assert hub.gets(MODEL_PATH) == []


def test_list_shows_which_sets_are_there(shell: Shell) -> None:
    shell.run("pull", "one")
    shell.partial.write_bytes(MODEL[:500_000])
    shell.model.unlink()

    listed = shell.run("list").stdout

    assert "one (default): a checkpoint\n  partial, 1.5 MB in all" in listed
    assert "500.0 kB of it" in listed
    assert "maker/words (gated)" in listed
    assert "accept its licence at https://huggingface.co/maker/words" in listed


def test_verify_reports_on_each_file(shell: Shell) -> None:
    shell.run("pull", "both")
    assert shell.run("verify", "both").returncode == 0

    shell.model.write_bytes(MODEL[:-1] + b"?")
    encoder = shell.weights_dir / ENCODER_REPO
    (encoder / "config.json").write_bytes(b'{"model_type": "gemma4"}')
    (encoder / "tokenizer.model").unlink()
    done = shell.run("verify", "both")

    assert done.returncode == 1
    assert f"bad: {shell.model} has the sha256 " in done.stdout
    assert f"bad: {encoder}/config.json has the sha256 " in done.stdout
    assert f"bad: {encoder}/tokenizer.model: is missing; pull the set" in done.stdout
    assert f"ok: {encoder}/{SHARD_PATH}\n" in done.stdout
    assert done.stderr == "ltx23: error: 3 bad in both: delete what is bad, and pull the set again\n"


def test_verify_without_any_file_fails(shell: Shell) -> None:
    done = shell.run("verify", "both")

    assert done.returncode == 1
    assert f"bad: {shell.model}: is missing; pull the set" in done.stdout
    assert f"bad: {shell.weights_dir / ENCODER_REPO}: is missing; pull the set" in done.stdout


def test_an_offline_pull_lists_the_missing_files(hub: Hub, shell: Shell) -> None:
    shell.run("pull", "one")
    hub.seen.clear()

    done = shell.run("pull", "both", HF_HUB_OFFLINE="1")

    assert done.returncode == 1
    assert done.stderr == f"ltx23: error: HF_HUB_OFFLINE is set, and {shell.weights_dir} lacks maker/words\n"
    assert shell.run("pull", "one", HF_HUB_OFFLINE="1").returncode == 0
    assert hub.seen == []


def test_a_damaged_record_is_named(shell: Shell) -> None:
    shell.run("pull", "one")
    record = shell.weights_dir / "maker/video/.published.json"
    record.write_text('{"files": [')

    done = shell.run("verify", "one")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{record}: is not what a pull writes; delete it" in done.stderr


def test_where_prints_paths_and_the_command_that_serves_them(shell: Shell) -> None:
    done = shell.run("where", "both")

    assert f"checkpoint      {shell.model}\ntext_encoder    {shell.weights_dir / ENCODER_REPO}\n" in done.stdout
    assert done.stdout.endswith(f"\nltx23 serve --checkpoint both --weights-dir {shell.weights_dir}\n")
    assert "not complete there: checkpoint, text_encoder" in done.stderr
    elsewhere = shell.run("where", "one", "--text-encoder", "words", "--weights-dir", "~/.cache/ltx23/weights")
    assert elsewhere.stdout.endswith("\nltx23 serve --checkpoint one --text-encoder words\n")


def test_an_unknown_set_is_an_error_that_lists_the_known_ones(shell: Shell) -> None:
    done = shell.run("pull", "none")

    assert (done.returncode, done.stderr) == (
        1,
        "ltx23: error: there is no weight set 'none'; there are one, both, folder\n",
    )
