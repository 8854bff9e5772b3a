"""Each recipe of docs/request.md does what the document says; text, examples and code cannot drift apart."""

import json
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from relay.server import RunningServer, create_app
from relay.store import Store
from tests.e2e.recipe_api import RecipeApi
from tests.fake_api import FakeApi
from tests.module.actions import run_action

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "docs" / "request.md"
EXAMPLES = REPOSITORY / "examples"
RECIPE = re.compile(
    r"`examples/request_(?P<name>\w+)\.json`\n\n```json\n(?P<file>.*?)```\n\n"
    r"What comes back[^\n]*:\n\n```json\n(?P<results>.*?)```",
    re.DOTALL,
)
AS_A_USER_RUNS_IT = ("sample", "json_post", "idempotency")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe as the document has it: the text of its file, and the results that are promised."""

    name: str
    file: str
    results: str


RECIPES = {
    found["name"]: Recipe(name=found["name"], file=found["file"], results=found["results"])
    for found in RECIPE.finditer(DOCUMENT.read_text(encoding="utf-8"))
}


class _WhoAmI(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests look at answers, not at a log."""

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        certificate = self.connection.getpeercert() or {}
        names: Any = certificate.get("subjectAltName", ())
        body = json.dumps({"client": names[0][1]}).encode()
        self.send_response(200 if self.path == "/whoami" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def tls_server(authority: trustme.CA) -> Iterator[str]:
    """The address of a server that asks its clients for a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), _WhoAmI)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What stands for the hosts of the recipes."""
    store = Store(f"sqlite:///{tmp_path}/relay.sqlite3")
    with FakeApi(RecipeApi()) as api, RunningServer(create_app(store)) as relay:
        yield {"https://api.example.com": api.url, "{relay}": relay.url}
    store.close()


def resolved(text: str, addresses: dict[str, str]) -> Any:
    for name, address in addresses.items():
        text = text.replace(name, address)
    return json.loads(text)


def check(results: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare with what is promised; of headers and a file's name the document shows a part."""
    for name, value in expected.items():
        if name == "headers":
            assert value.items() <= results[name].items()
        elif name == "file_path":
            assert results[name].startswith(value.rstrip("…"))
        else:
            assert results[name] == value, name


def test_the_document_has_all_recipes_and_each_is_a_file() -> None:
    files = {path.stem.removeprefix("request_"): path for path in EXAMPLES.glob("request_*.json")}

    assert len(RECIPES) >= 10
    assert DOCUMENT.read_text(encoding="utf-8").count("`examples/request_") == len(RECIPES)
    assert {name: path.read_text(encoding="utf-8") for name, path in files.items()} == {
        name: recipe.file for name, recipe in RECIPES.items()
    }


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in {"mutual_tls", *AS_A_USER_RUNS_IT}])
def test_a_recipe_gives_what_the_document_says(name: str, addresses: dict[str, str], tmp_path: Path) -> None:
    recipe = RECIPES[name]
    file = resolved(recipe.file, addresses)
    outcome = run_action(file["arguments"], account=file["module_configuration"], folder=tmp_path)

    assert outcome.error is None
    check(outcome.raw, resolved(recipe.results, addresses))


@pytest.mark.parametrize("name", AS_A_USER_RUNS_IT)
def test_a_recipe_runs_from_the_command_line(name: str, addresses: dict[str, str], tmp_path: Path) -> None:
    recipe = RECIPES[name]
    # The relay of the command fills in its own address.
    file = resolved(recipe.file, {"https://api.example.com": addresses["https://api.example.com"]})
    file["module_configuration"]["allow_private_networks"] = True
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "relay", "run", "Request", "--config", str(path), "--json"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    check(json.loads(run.stdout)["results"], resolved(recipe.results, addresses))


def test_mutual_tls_gives_what_the_document_says(tmp_path: Path) -> None:
    authority = trustme.CA()
    client = authority.issue_cert("module.example.com")
    with tls_server(authority) as url:
        file = resolved(RECIPES["mutual_tls"].file, {"https://mtls.example.com": url})
        account = file["module_configuration"] | {
            "ca_certificate": authority.cert_pem.bytes().decode(),
            "client_certificate": client.cert_chain_pems[0].bytes().decode(),
            "client_key": client.private_key_pem.bytes().decode(),
        }
        outcome = run_action(file["arguments"], account=account, folder=tmp_path)

    check(outcome.raw, json.loads(RECIPES["mutual_tls"].results))
