import pytest
from fastapi import FastAPI

from server.edge.paths import CleanPaths, route_path
from tests.edge.asgi import ask

app = FastAPI(redirect_slashes=False)


@app.api_route("/v1/videos", methods=["GET", "POST", "HEAD"])
async def videos() -> str:
    return "videos"


@app.get("/")
async def home() -> str:
    return "home"


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/", "//v1//videos//", "/v1/videos///", "/%2Fv1/videos/"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_paths_with_extra_slashes_are_served_without_a_redirect(path: str, method: str) -> None:
    assert ask(CleanPaths(app), path, method).status_code == 200


@pytest.mark.parametrize("path", ["/", "//", "///"])
def test_the_root_is_served_with_extra_slashes(path: str) -> None:
    assert ask(CleanPaths(app), path).json() == "home"


def test_other_paths_are_not_found() -> None:
    assert [ask(CleanPaths(app), path).status_code for path in ("/v1/videosx", "/v1")] == [404, 404]


@pytest.mark.parametrize("path", ["/video/v1/videos", "/v1/videos", "//video/v1/videos/", "/video//v1/videos"])
def test_a_prefix_is_served_whether_the_proxy_removes_it_or_not(path: str) -> None:
    assert ask(CleanPaths(app, "/video"), path).json() == "videos"


@pytest.mark.parametrize("path", ["/video", "/video/", "/"])
def test_the_root_is_served_below_a_prefix(path: str) -> None:
    assert ask(CleanPaths(app, "/video"), path).json() == "home"


@pytest.mark.parametrize(
    ("root_path", "path", "expected"),
    [
        ("", "/generate", "/generate"),
        ("/video", "/video/generate", "/generate"),
        ("/video", "/video", "/"),
        ("/video", "/videos", "/videos"),
    ],
)
def test_the_route_is_what_follows_the_prefix(root_path: str, path: str, expected: str) -> None:
    assert route_path({"path": path, "root_path": root_path}) == expected
