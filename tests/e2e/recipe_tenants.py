"""What the copied APIs of the recipes have in common: their data, their pages, and how they refuse a request."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fake_api import Answer, Asked


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Something that an API has a record of, in one of its streams."""

    number: int
    at: datetime
    stream: str = ""


class UnexpectedRequestError(Exception):
    """A request that the API does not understand, or whose credentials it does not know."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Tenant:
    """What one customer of an API has there; `key` is the secret of its account."""

    def __init__(self, happenings: Iterable[Happening], *, key: str) -> None:
        self.happenings = list(happenings)
        self.key = key

    def between(self, since: datetime, until: datetime, stream: str = "") -> list[Happening]:
        """What happened in a span, both ends included, oldest first."""
        found = [one for one in self.happenings if since <= one.at <= until and one.stream == stream]
        return sorted(found, key=lambda one: one.at)


FEW = 20
"""Records of a full page; a limit that is asked for is the most that may come, so less is right too."""

Serve = Callable[[Asked, Tenant], Answer]


@dataclass(frozen=True, kw_only=True)
class RecipeApi:
    """An API and what a test needs to know about it.

    Attributes:
        page: records of a full answer.
        streams: the streams that the recipe reads.
        updates: is a record that changes shown again, with a new time and its old id?
    """

    serve: Serve
    page: int = FEW
    streams: tuple[str, ...] = ("",)
    updates: bool = False

    def handler(self, tenant: Tenant) -> Callable[[Asked], Answer]:
        """The API as the handler of a server."""

        def answer(asked: Asked) -> Answer:
            try:
                return self.serve(asked, tenant)
            except UnexpectedRequestError as error:
                return Answer(status=error.status, json={"error": str(error)})

        return answer


def arguments(asked: Asked, path: str, *, need: str = "", may: str = "", method: str = "GET") -> dict[str, str]:
    """The query of a request; a wrong method or path, and unknown, missing or repeated parameters are refused."""
    if (asked.method, asked.path) != (method, path):
        raise UnexpectedRequestError(404, f"no {asked.method} {asked.path}")
    pairs = parse_qsl(urlsplit(asked.target).query, keep_blank_values=True)
    known(dict(pairs), need, may)
    if len(dict(pairs)) != len(pairs):
        raise UnexpectedRequestError(400, "a parameter is repeated")
    return dict(pairs)


def known(fields: Mapping[str, Any], need: str, may: str = "") -> None:
    """Refuse missing and unknown names."""
    missing, unknown = set(need.split()) - set(fields), set(fields) - set(need.split()) - set(may.split())
    if missing or unknown:
        raise UnexpectedRequestError(400, f"missing {sorted(missing)}, unknown {sorted(unknown)}")


def signed_in(asked: Asked, header: str, value: str) -> None:
    """Refuse a request without the right value in a header."""
    if asked.headers.get(header) != value:
        raise UnexpectedRequestError(401, f"wrong {header}")


def basic(user: str, password: str) -> str:
    """The header of basic authentication."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def token_granted(asked: Asked, path: str, expected: Mapping[str, str]) -> Answer | None:
    """The answer of the token endpoint; None when something else was asked, with the right token."""
    if asked.path == path:
        if asked.method != "POST" or dict(parse_qsl(asked.body.decode())) != expected:
            raise UnexpectedRequestError(400, "invalid_grant")
        return Answer(json={"access_token": "granted", "token_type": "Bearer", "expires_in": 3600})
    signed_in(asked, "authorization", "Bearer granted")
    return None


def moment(text: str, pattern: str) -> datetime:
    """A moment in the one form that the API takes."""
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC)
    except ValueError:
        raise UnexpectedRequestError(400, f"{text!r} is not of the form {pattern}") from None


def written(at: datetime) -> str:
    """A moment as most APIs write it into their records."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


SECONDS, FRACTIONS = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"


def epoch(text: str, per_second: int = 1) -> datetime:
    """A moment that is written as a number."""
    if not text.isdigit():
        raise UnexpectedRequestError(400, f"{text!r} is no number")
    return datetime.fromtimestamp(int(text) / per_second, UTC)


def equal(got: object, expected: object) -> None:
    """Refuse a value other than the documented one."""
    if got != expected:
        raise UnexpectedRequestError(400, f"{got!r} instead of {expected!r}")


def page_at(found: list[Happening], token: str | None, size: int = FEW) -> tuple[list[Happening], str | None]:
    """The page at a token, and the token of the next page; None after the last one."""
    if token is not None and not token.startswith("after-"):
        raise UnexpectedRequestError(400, f"no such token: {token!r}")
    start = int(token.removeprefix("after-")) if token else 0
    end = start + size
    return found[start:end], f"after-{end}" if end < len(found) else None


def here(asked: Asked, **changes: str) -> str:
    """The URL of a request, with other parameters."""
    query = dict(parse_qsl(urlsplit(asked.target).query)) | {name.strip("_"): text for name, text in changes.items()}
    return f"http://{asked.headers['host']}{asked.path}?{urlencode(query)}"


def linked(asked: Asked, records: list[Any], name: str, following: str | None) -> Answer:
    """A page whose Link header names the next one."""
    links = [f'<{here(asked)}>; rel="self"']
    if following:
        links.append(f'<{here(asked, **{name: following})}>; rel="next"')
    return Answer(json=records, headers={"Link": ", ".join(links)})
