"""Failures of the hub, the network and the disk during a pull, and what each leaves behind."""

import socket

import pytest

from tests.weights.conftest import Shell
from tests.weights.hub import Fault, Hub, Repo
from tests.weights.small_world import COMMIT, ENCODER_REPO, MODEL, MODEL_PATH, MODEL_REPO, SHARD, SHARD_PATH

HALF = len(MODEL) // 2


def test_a_pull_resumes_where_the_connection_broke(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), Fault(cut_after=1000))

    done = shell.run("pull")

    assert done.returncode == 0
    assert shell.model.read_bytes() == MODEL
    assert [get.range for get in hub.gets(MODEL_PATH)] == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]
    assert "the connection failed: " in done.stderr
    assert done.stderr.count("trying again in 0 s") == 2


def test_retries_are_not_used_up_while_each_attempt_makes_progress(hub: Hub, shell: Shell) -> None:
    """The connection breaks more often than there are retries."""
    hub.misbehave("GET", MODEL_PATH, *[Fault(cut_after=100_000)] * 10)

    assert shell.run("pull").returncode == 0
    assert shell.model.read_bytes() == MODEL


def test_a_pull_gives_up_after_several_attempts_without_progress(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), *[Fault(cut_after=0)] * 20)

    done = shell.run("pull")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ltx23: error: maker/video: the connection failed: ")
    assert done.stderr.endswith("tried 4 times, what has arrived is kept\n")
    assert shell.partial.read_bytes() == MODEL[:HALF]
    assert not shell.model.exists()


def test_a_pull_starts_over_if_the_server_ignores_ranges(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), Fault(ignores_range=True))

    assert shell.run("pull").returncode == 0
    assert shell.model.read_bytes() == MODEL
    assert len(hub.gets(MODEL_PATH)) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_temporary_errors_are_retried(status: int, hub: Hub, shell: Shell) -> None:
    hub.misbehave("HEAD", MODEL_PATH, Fault(status=status))
    hub.misbehave("GET", MODEL_PATH, Fault(status=status), Fault(status=status))
    hub.misbehave("GET", ENCODER_REPO, Fault(status=status))

    done = shell.run("pull", "both")

    assert done.returncode == 0
    assert done.stderr.count(f"the hub answered {status} ") == 4


def test_an_expired_link_to_the_storage_is_renewed(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(cut_after=HALF), Fault(status=403))

    assert shell.run("pull").returncode == 0
    assert shell.model.read_bytes() == MODEL


def test_a_hub_that_stays_broken_is_an_error(hub: Hub, shell: Shell) -> None:
    hub.misbehave("HEAD", MODEL_PATH, *[Fault(status=502)] * 20)

    done = shell.run("pull")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "ltx23: error: maker/video: the hub answered 502 Bad Gateway; tried 4"
    )


def test_wrong_bytes_are_fetched_again_once(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", MODEL_PATH, Fault(body=MODEL[::-1]))

    done = shell.run("pull")

    assert done.returncode == 0
    assert "fetching it once more" in done.stderr
    assert shell.model.read_bytes() == MODEL


WRONG = {
    "other bytes": (MODEL[::-1], "maker/video/models/model.safetensors has the sha256 "),
    "fewer": (MODEL[:-1], "maker/video/models/model.safetensors has 1,499,999 bytes, 1,500,000 were expected"),
    "more": (MODEL + b"!", "maker/video/models/model.safetensors has 1,500,001 bytes, 1,500,000 were expected"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_bytes_never_get_the_final_file_name(kind: str, hub: Hub, shell: Shell) -> None:
    body, message = WRONG[kind]
    hub.misbehave("GET", MODEL_PATH, *[Fault(body=body)] * 2)

    done = shell.run("pull")

    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"ltx23: error: {message}")
    assert error.endswith("fetched twice and deleted; try later, or through another network")
    assert not shell.model.exists()
    assert not shell.partial.exists()


def test_files_of_a_mirror_without_hashes_are_verified_with_the_registry(hub: Hub, shell: Shell) -> None:
    hub.repos[MODEL_REPO].claims[MODEL_PATH] = (len(MODEL), "anything")
    hub.misbehave("GET", MODEL_PATH, *[Fault(body=MODEL[::-1])] * 2)

    assert "has the sha256 " in shell.run("pull").stderr
    assert shell.run("pull").returncode == 0


def test_small_files_are_verified_with_their_git_hash(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", "config.json", *[Fault(body=b'{"model_type": "gemma4"}')] * 2)

    done = shell.run("pull", "both")

    assert done.returncode == 1
    assert "maker/words/config.json has the git hash " in done.stderr


def test_a_file_shorter_than_the_hub_says_is_an_error(hub: Hub, shell: Shell) -> None:
    """The partial file of an earlier attempt is as long as the real file."""
    shell.partial.parent.mkdir(parents=True)
    shell.partial.write_bytes(MODEL[:HALF])
    hub.misbehave("GET", MODEL_PATH, Fault(body=MODEL[:HALF]), Fault(body=MODEL[:HALF]))

    done = shell.run("pull")

    assert done.returncode == 1
    assert "has 750,000 bytes, 1,500,000 were expected" in done.stderr
    assert not shell.partial.exists()


@pytest.mark.parametrize(
    ("claim", "message"),
    [((7, "0" * 64), "has 7 bytes, 1,500,000 were expected"), ((len(MODEL), "0" * 64), "has the sha256 0000")],
)
def test_a_file_that_was_replaced_on_the_hub_is_refused(
    claim: tuple[int, str], message: str, hub: Hub, shell: Shell
) -> None:
    hub.repos[MODEL_REPO].claims[MODEL_PATH] = claim

    done = shell.run("pull")

    assert done.returncode == 1
    assert f"maker/video/models/model.safetensors on the hub {message}" in done.stderr
    assert hub.gets(MODEL_PATH) == []


def test_a_wrong_size_from_the_hub_is_an_error(hub: Hub, shell: Shell) -> None:
    """Only the hub knows the sizes of files in a folder."""
    repo = hub.repos[ENCODER_REPO]
    repo.claims[SHARD_PATH] = (len(SHARD) + 5, "0" * 64)

    done = shell.run("pull", "both")

    assert done.returncode == 1
    assert f"maker/words/{SHARD_PATH} has 300,000 bytes, 300,005 were expected" in done.stderr


@pytest.mark.parametrize("token", ["", "hf_nobody"])
def test_a_gated_repository_is_reported_before_the_first_byte_with_the_remedy(
    token: str, hub: Hub, shell: Shell
) -> None:
    """The hub answers 401 without a token, and 403 to a token that has not accepted the licence."""
    done = shell.run("pull", "both", HF_TOKEN=token)

    assert done.returncode == 1
    assert done.stderr == (
        "ltx23: error: maker/words is gated: open https://huggingface.co/maker/words and accept its licence, "
        "then log in with `hf auth login` or set HF_TOKEN\n"
    )
    assert hub.gets(MODEL_PATH) == []


def test_a_token_that_is_not_accepted_is_an_error(shell: Shell) -> None:
    done = shell.run("pull", HF_TOKEN="hf_expired")

    assert done.returncode == 1
    assert "the hub refuses access (Invalid credentials in Authorization header): log in again" in done.stderr


def test_a_missing_repository_commit_or_file_is_named(hub: Hub, shell: Shell) -> None:
    hub.repos[MODEL_REPO].commits[COMMIT].clear()
    no_file = shell.run("pull")
    hub.repos[MODEL_REPO] = Repo({}, main=COMMIT)
    no_revision = shell.run("pull")
    del hub.repos[MODEL_REPO]
    no_repo = shell.run("pull")

    assert [done.returncode for done in (no_file, no_revision, no_repo)] == [1, 1, 1]
    assert no_file.stderr == f"ltx23: error: maker/video has no file '{MODEL_PATH}' at revision 'main'\n"
    assert no_revision.stderr == f"ltx23: error: maker/video has no revision 'main' (wanted: {MODEL_PATH})\n"
    assert "maker/video at revision 'main' is not there, or is private" in no_repo.stderr


def test_a_server_that_is_not_a_hub_is_an_error(hub: Hub, shell: Shell) -> None:
    hub.misbehave("GET", ENCODER_REPO, Fault(body=b"<html>log in to this hotel's network</html>"))
    hub.misbehave("HEAD", MODEL_PATH, Fault(status=200))

    portal = shell.run("pull")
    mirror = shell.run("pull", "both")

    assert "check HF_ENDPOINT and proxies" in portal.stderr
    assert "maker/words: the answer is not a hub's" in mirror.stderr


def test_a_hub_that_cannot_be_reached_is_an_error(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    done = shell.run("pull", HF_ENDPOINT=url)

    assert done.returncode == 1
    assert "maker/video: the connection failed: " in done.stderr.splitlines()[-1]


def test_too_little_disk_space_is_reported_before_the_first_byte(hub: Hub, shell: Shell) -> None:
    shell.partial.parent.mkdir(parents=True)
    shell.partial.write_bytes(MODEL[:500_000])

    done = shell.run("pull", FREE_BYTES="999999")

    assert done.returncode == 1
    assert f"{shell.weights_dir}: the files still to come need 1.0 MB, 1000.0 kB are free; make room" in done.stderr
    assert hub.gets(MODEL_PATH) == []
    assert shell.run("pull", FREE_BYTES="1000000").returncode == 0


def test_a_full_disk_keeps_what_has_arrived(hub: Hub, shell: Shell) -> None:
    """The full disk is a limit on the size of files (RLIMIT_FSIZE)."""
    process = shell.start("pull", FILE_LIMIT_BYTES=str(HALF))
    _, stderr = process.communicate()

    assert process.returncode == 1
    assert f"{shell.model}: cannot be written: File too large; what has arrived is kept" in stderr
    assert shell.partial.read_bytes() == MODEL[:HALF]

    assert shell.run("pull").returncode == 0
    assert hub.gets(MODEL_PATH)[-1].range == f"bytes={HALF}-"


def test_a_folder_that_cannot_be_created_is_an_error(shell: Shell) -> None:
    shell.weights_dir.write_text("a file")

    done = shell.run("pull")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{shell.weights_dir}" in done.stderr
