"""Each account of docs/account.md sends what the document says."""

import json
import re
from pathlib import Path

import pytest

from tests.fake_api import Answer, Asked, FakeApi
from tests.module.actions import run_action

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "account.md"
SAMPLE = re.compile(r"```json\n(?P<account>.*?)```\n(?:[^`]*)```http\n(?P<sent>.*?)```", re.DOTALL)
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
SAMPLES = [(found["account"], found["sent"].splitlines()) for found in SAMPLE.finditer(DOCUMENT.read_text("utf-8"))]


def shown(asked: Asked) -> str:
    """A request in the words of the document: query, headers, body."""
    headers = [f"{name}: {value}" for name, value in asked.headers.items()]
    return "\n".join([asked.target, *headers, asked.body.decode()])


def answer(asked: Asked) -> Answer:
    if asked.path == "/token":
        return Answer(json={"access_token": "fetched-token"})
    # A scheme that needs no challenge has given its proof by now, and this answer is not looked at.
    return Answer(json=[]) if "authorization" in asked.headers else Answer(status=401, headers=CHALLENGE)


def test_all_schemes_are_in_the_document() -> None:
    schemes = {json.loads(account).get("auth", "bearer") for account, _ in SAMPLES}

    assert schemes == {"bearer", "header", "query", "basic", "digest", "none", "oauth2", "login"}


@pytest.mark.parametrize(("account", "lines"), SAMPLES)
def test_an_account_sends_what_the_document_says(account: str, lines: list[str]) -> None:
    with FakeApi(answer) as api:
        fields = json.loads(account.replace("https://api.example.com", api.url))
        run_action({"url": f"{api.url}/x", "authenticate": True}, account=fields)
    sent = "\n".join(shown(asked) for asked in api.asked)

    for line in lines:
        name, separator, value = line.partition(": ")
        wanted = f"{name.lower()}: {value}" if separator and not line.startswith("{") else line
        assert wanted in sent
