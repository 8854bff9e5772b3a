"""No form of a secret survives in a text that a person may read."""

import base64
import io
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from httpkit.auth import AccountSettings
from httpkit.proxies import proxy_at
from httpkit.redaction import MASK, Redactor, is_secret_name, shown_headers, without_query
from httpkit.tls import TlsSettings
from httpkit.values import Confidential

# The mask itself is no secret, and half of a character has no form on a wire.
_characters = st.characters(exclude_categories=["Cs"], exclude_characters="*")
secrets = st.text(_characters, min_size=4, max_size=30) | st.text("aé\"'\\%+/ 😀&!", min_size=4, max_size=12)
around = st.text(st.sampled_from(" \n:=,;<>"), max_size=5)


def forms(secret: str) -> list[str]:
    """The forms that programs give to a text; written without looking at the product."""
    raw = secret.encode()
    encoded = [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    urls = [quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe="!~*'()")]
    once = [json.dumps(secret, ensure_ascii=flag)[1:-1] for flag in (True, False)]
    twice = [json.dumps(text, ensure_ascii=flag)[1:-1] for text in once for flag in (True, False)]
    lower = [quote_plus(secret).replace(f"%{code:02X}", f"%{code:02x}") for code in raw[:1]]
    return [
        secret,
        *encoded,
        *(text.rstrip("=") for text in encoded),
        *urls,
        *once,
        *twice,
        *lower,
        repr(secret)[1:-1],
    ]


@given(secret=secrets, before=around, after=around)
def test_no_form_of_a_secret_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])

    for form in forms(secret):
        if form.lower() == form or "%" not in form:
            assert MASK in redactor.clean(f"{before}{form}{after}")
            assert form not in redactor.clean(f"{before}{form}{after}")


@given(secret=secrets, field=st.text(_characters, max_size=5))
def test_a_secret_inside_json_inside_json_is_masked(secret: str, field: str) -> None:
    inner = json.dumps({f"{field}-": secret}, ensure_ascii=False)

    cleaned = Redactor([secret]).clean(json.dumps({"event": inner}, ensure_ascii=False))

    assert MASK in cleaned


def test_a_secret_that_begins_like_another_one_leaves_nothing() -> None:
    redactor = Redactor(["token", "token-and-more"])

    assert redactor.clean("x token-and-more token y") == f"x {MASK} {MASK} y"


def test_overlapping_secrets_do_not_survive_whole() -> None:
    cleaned = Redactor(["abcdef", "defghi"]).clean("abcdefghi")

    assert "abcdef" not in cleaned
    assert "defghi" not in cleaned


def test_short_values_are_left_alone() -> None:
    assert Redactor(["abc", ""]).clean("abc and more") == "abc and more"


def test_values_are_masked_at_every_depth_keys_included() -> None:
    value = {"a": ["secret-1", {"secret-1": ("x secret-1", b"secret-1", 7, None)}]}

    assert Redactor(["secret-1"]).clean_value(value) == {"a": [MASK, {MASK: [f"x {MASK}", MASK, 7, None]}]}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *(
            (name, True)
            for name in ("Authorization", "Set-Cookie", "X-Api-Key", "apikey", "client_secret", "PASSWORD")
        ),
        *((name, True) for name in ("X-Amz-Security-Token", "intake_key", "signature", "access_key")),
        *((name, False) for name in ("Accept", "Content-Type", "X-Request-Id", "ETag", "key", "id")),
    ],
)
def test_names_of_secrets_are_known(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret
    assert (shown_headers({name: "value"})[name] == MASK) is secret


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@api.example.com:8443/a?key=1#f", "https://api.example.com:8443/a"),
        ("https://api.example.com/users/a@b.example?key=1", "https://api.example.com/users/a@b.example"),
        ("items?key=1", "items"),
        ("http://[half/a?key=1", "http://[half/a"),
        ("http://api.example.com:99999/a#key", "http://api.example.com:99999/a"),
        ("http://user:p/w@api.example.com/", MASK),
        ("http://user:p?w@api.example.com/", MASK),
        ("http://user:pw@[half/", MASK),
        ("user:pw@api.example.com/", MASK),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert without_query(url) == shown


@pytest.mark.parametrize(
    "value",
    [
        AccountSettings(api_key="s3cret", headers={"X-Key": "s3cret"}, login_body={"password": "s3cret"}),
        TlsSettings(client_key="s3cret"),
        proxy_at("http://user:s3cret@proxy.example:3128"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_secrets_shows_none_of_them_in_a_traceback(value: Confidential) -> None:
    console = Console(file=io.StringIO(), record=True)
    console.print(value)
    proof = base64.b64encode(b"user:s3cret").decode()
    assert not any(secret in text for text in (repr(value), console.export_text()) for secret in ("s3cret", proof))
    assert type(value).__name__ in repr(value)
