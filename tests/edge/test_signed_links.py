from pathlib import Path

import httpx
import pytest

from server.edge.api_keys import ApiKeys
from server.edge.key_ring import KeyRing
from server.edge.link_secret import read_or_create_secret
from server.edge.signed_links import SignedLinks
from server.settings import SettingsError
from tests.edge.asgi import ask, show

PATH = "/v1/videos/video_1/content"
RING = KeyRing(["key", "other"])
KEY_ID = RING.identify(b"key")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def links(clock: Clock) -> SignedLinks:
    return SignedLinks(b"secret", ttl_s=60, clock=clock)


def opened(
    links: SignedLinks, query: str, path: str = PATH, method: str = "GET", ring: KeyRing = RING
) -> httpx.Response:
    return ask(ApiKeys(show, ring, links=links), f"{path}?{query}", method)


def test_a_link_acts_for_its_key(links: SignedLinks) -> None:
    query = links.sign(PATH, str(KEY_ID))

    assert opened(links, query).json()["key_id"] == KEY_ID
    assert opened(links, f"variant=thumbnail&{query}").status_code == 200
    assert opened(links, query, method="HEAD").status_code == 200


def test_a_link_opens_only_its_path_for_get_and_head(links: SignedLinks) -> None:
    query = links.sign(PATH, str(KEY_ID))

    for path in ("/v1/videos/video_2/content", "/v1/videos/video_1/events", "/v1/videos/video_1", "/v1/videos"):
        assert opened(links, query, path).status_code == 401
    for method in ("POST", "DELETE", "PUT", "OPTIONS"):
        assert opened(links, query, method=method).status_code == 401


def test_a_link_expires(links: SignedLinks, clock: Clock) -> None:
    query = links.sign(PATH, str(KEY_ID))
    clock.now += 59
    assert opened(links, query).status_code == 200
    clock.now += 1

    answer = opened(links, query)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "has expired" in answer.json()["error"]["message"]


def test_a_link_obtained_through_a_link_expires_with_it(links: SignedLinks, clock: Clock) -> None:
    query = links.sign(PATH, str(KEY_ID))
    _, expires = links.verify(PATH, query.encode(), RING.key_ids())
    clock.now += 30

    assert links.sign(PATH, str(KEY_ID), not_after=expires) == query


@pytest.mark.parametrize(
    "forge",
    [
        lambda expires, signature: f"expires={expires + 1}&signature={signature}",
        lambda expires, signature: f"expires={expires}&signature={signature[:-1]}",
        lambda expires, signature: f"expires={expires}&signature=",
        lambda expires, signature: f"signature={signature}",
        lambda expires, signature: f"expires=0{expires}&signature={signature}",
        lambda expires, signature: f"expires=%0a{expires}&signature={signature}",
        lambda expires, signature: f"expires={'9' * 5000}&signature={signature}",
        lambda expires, signature: f"expires={expires}&signature=%ff%fe",
        lambda expires, signature: f"expires={expires}&signature={'é' * 64}",
        lambda expires, signature: f"expires={expires}&signature={'0' * 64}",
    ],
)
def test_a_forged_link_is_not_valid(links: SignedLinks, forge: object) -> None:
    good = httpx.QueryParams(links.sign(PATH, str(KEY_ID)))
    assert callable(forge)

    answer = opened(links, forge(int(good["expires"]), good["signature"]))

    assert answer.status_code == 401
    assert answer.json()["detail"] == "The link's signature is not valid."


def test_another_servers_link_is_not_valid(links: SignedLinks, clock: Clock) -> None:
    query = SignedLinks(b"another", 60, clock).sign(PATH, str(KEY_ID))

    assert opened(links, query).status_code == 401


def test_the_links_of_a_removed_key_stop_working(links: SignedLinks) -> None:
    query = links.sign(PATH, str(KEY_ID))

    assert opened(links, query, ring=KeyRing(["other"])).status_code == 401


def test_the_repr_of_the_links_omits_the_secret(links: SignedLinks) -> None:
    assert "secret" not in repr(links)


def test_the_secret_is_kept_in_a_file_that_only_its_user_can_read(tmp_path: Path) -> None:
    secret = read_or_create_secret(tmp_path / "data")
    [file] = (tmp_path / "data").iterdir()

    assert read_or_create_secret(tmp_path / "data") == secret
    assert len(secret) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_or_create_secret(tmp_path / "other") != secret


def test_a_truncated_secret_is_replaced(tmp_path: Path) -> None:
    secret = read_or_create_secret(tmp_path)
    [file] = tmp_path.iterdir()
    file.write_bytes(secret[:7])

    assert len(read_or_create_secret(tmp_path)) == 32


def test_a_secret_that_cannot_be_stored_is_an_error_that_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"--data-dir: .*link-secret"):
        read_or_create_secret(tmp_path / "file")
