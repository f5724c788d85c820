"""Promises of SECURITY.md that no other test covers, and a check that the tests it names exist."""

import ast
import http.client
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from server.edge.cors import EXPOSED_HEADERS
from server.edge.security_headers import SECURITY_HEADERS
from server.settings import load_settings
from tests.conftest import Server
from tests.http.conftest import KEY, SMALL, Clip, encode, picture

ROOT = Path(__file__).parents[2]
PRODUCT = [path for name in ("weights", "pipelines", "enhancer", "server") for path in (ROOT / name).rglob("*.py")]
PROMISES = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")][1:]

OURS = re.compile(r"ltx23-work-\w+|lock|job-\w+|image-\d+|clip\.mp4(\.part)?")
RUNS_TEXT = {"eval", "exec", "system", "popen", "__import__"}


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_names_a_test_that_exists(promise: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
    assert named
    for path, name in named:
        body = ast.parse((ROOT / path).read_text()).body
        assert name in {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_printed_settings_omit_keys() -> None:
    settings = load_settings(api_keys=f"{KEY}, sk-other", sglang_api_key="sk-sglang")

    shown = f"{settings!r} {settings} {settings.model_dump_json()}"
    assert [key for key in (KEY, "sk-other", "sk-sglang") if key in shown] == []


def test_file_names_contain_no_text_from_the_client(server: Server) -> None:
    """The client disconnects once there is a file to look at."""
    body = SMALL | {
        "prompt": "../../prompt",
        "num_frames": 241,
        "input_image_b64": encode(picture()),
        "filename": "../n",
    }
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("POST", "/generate", json.dumps(body), {"X-Request-ID": ".."})
    while not list(server.temp_dir.rglob("*.part")):
        pass
    names = [path.name for path in server.temp_dir.rglob("*")]
    connection.close()

    assert {"image-0", "lock"} < set(names)
    assert [name for name in names if not OURS.fullmatch(name)] == []


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_url_of_an_image_is_not_fetched(scheme: str, client: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/image.png"
        response = client.post("/generate", json=SMALL | {"input_image_b64": address})
        with pytest.raises(BlockingIOError):
            listener.accept()

    assert response.status_code == 422


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://page.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "null", "form"],
)
def test_a_page_of_another_origin_can_neither_render_nor_read(client: httpx.Client, headers: dict[str, str]) -> None:
    """A form needs no preflight, and sends JSON as text/plain."""
    rendered = client.post("/generate", json=SMALL, headers=headers | {"Content-Type": "text/plain"})
    preflight = client.options("/generate", headers=headers | {"Access-Control-Request-Method": "POST"})
    read = client.get("/models", headers=headers)

    assert rendered.status_code == 403
    assert "--cors-origins" in rendered.json()["detail"]
    for response in (rendered, preflight, read):
        assert not any(name.startswith("access-control-") for name in response.headers)


def test_an_allowed_page_can_read_every_header_of_a_clip(generate: Callable[..., Clip]) -> None:
    exposed = {name.lower() for name in EXPOSED_HEADERS}

    assert {name for name in generate().headers if name.startswith(("x-ltx", "server-", "content-disp"))} <= exposed


def test_a_rebound_host_name_is_refused(client: httpx.Client) -> None:
    for method, path in [("GET", "/models"), ("POST", "/generate"), ("GET", "/v1/videos")]:
        response = client.request(method, path, headers={"Host": "page.example:8000"})
        assert response.status_code == 421
        assert "--allowed-hosts" in response.json()["detail"]


def test_the_servers_own_page_can_render(client: httpx.Client) -> None:
    assert client.post("/generate", json=SMALL, headers={"Origin": str(client.base_url)}).status_code == 200


def test_curl_can_send_json_as_a_form(client: httpx.Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert client.post("/generate", json=SMALL, headers=form).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("GET", "/docs", 200), ("POST", "/generate", 401), ("GET", "/metrics", 401)],
)
def test_every_answer_has_the_security_headers(guarded: Server, method: str, path: str, status: int) -> None:
    with guarded.client() as stranger:
        response = stranger.request(method, path)

    assert response.status_code == status
    assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_product_runs_no_text_as_code(path: Path) -> None:
    """Find no shell, no eval, no unpickling of weights, and no code from a hub."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
            # `model.eval()` takes no text.
            assert name not in RUNS_TEXT or (name == "eval" and not node.args)
            assert (owner, name) != ("torch", "load")
            assert all(keyword.arg != "shell" for keyword in node.keywords)
    assert not re.search(r"trust_remote_code\W+True", path.read_text())
