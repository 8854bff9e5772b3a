"""What a preview says about getting an answer: connection, credentials, format, rate limit."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from httpkit.destinations import judge, origin_of
from httpkit.errors import HttpkitError, RefusedError, SettingsError
from httpkit.exchanges import DETAIL, SIGN_IN, Sent
from httpkit.formats import decode
from httpkit.preview_facts import Facts
from httpkit.preview_report import Finding, Verdict
from httpkit.redaction import named, without_query
from httpkit.throttle import asks_for_later, rate_limit_of, told_wait
from httpkit.values import Response

_REMEDIES = (
    "proxy",
    "ca_certificate",
    "client_certificate",
    "timeout_seconds",
    "max_response_megabytes",
    "allow_private_networks",
    "allowed_hosts",
)
_FEW = 0.1
_MEGABYTE = 1024 * 1024


def said(error: HttpkitError, sent: Sent | None) -> str:
    """The message of an error as a sentence, without the address that stands beside it in the report."""
    message = error.message
    if isinstance(error, SettingsError):
        message = message.removeprefix(f"{error.field}: ")
    if sent:
        message = message.removeprefix(f"{named(sent.request)}: ")
    return message[:1].upper() + message[1:].rstrip(".") + "."


def took(seconds: float) -> str:
    """A duration for reading."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def connection(facts: Facts) -> Finding | None:
    """Was there an answer, and over what kind of connection?"""
    first = next((sent for sent in facts.sent if sent.response is not None), None)
    return _no_answer(facts) or (_connected(facts, first, first.response) if first and first.response else None)


def _no_answer(facts: Facts) -> Finding | None:
    trouble = facts.trouble
    if trouble is None:
        return None
    answered = trouble.sent is not None and trouble.sent.response is not None
    if isinstance(trouble.error, SettingsError) and not answered:
        named_ones = [name for name in _REMEDIES if name in trouble.error.message]
        return _failed(facts, trouble.error, trouble.sent, named_ones or [trouble.error.field])
    if trouble.sent and not answered:
        return _failed(facts, trouble.error, trouble.sent, _remedies(facts, trouble.error, trouble.sent))
    return None


def _connected(facts: Facts, sent: Sent, response: Response) -> Finding:
    origin = origin_of(sent.request.url)
    where = f"{origin.host} answered in {took(response.elapsed)}"
    if origin.scheme == "http":
        text = f"{where} over plain HTTP, without encryption."
        if facts.settings.request.authenticate and not _is_own_network(origin.host):
            text += " The credentials can be read on the way; use https."
            return Finding(topic="Connection", verdict="warn", text=text, settings=[facts.access.address])
        return Finding(topic="Connection", verdict="pass", text=text)
    if not facts.access.verify_tls:
        text = f"{where} over TLS, but certificates are not checked: anyone on the way can read and change everything."
        return Finding(topic="Connection", verdict="warn", text=text, settings=["verify_tls", "ca_certificate"])
    return Finding(topic="Connection", verdict="pass", text=f"{where} over TLS; its certificate is trusted.")


def authentication(facts: Facts) -> Finding | None:
    """Were the credentials sent, and taken?"""
    trouble, scheme = facts.trouble, facts.access.auth
    if trouble and trouble.place == SIGN_IN:
        if trouble.sent is None or trouble.sent.response is None:
            return None
        settings = ["api_key", "username", "token_url", "token_params"]
        if not isinstance(trouble.error, RefusedError):
            settings = ["token_url", "login_capture" if scheme == "login" else "token_path"]
        return _auth("fail", said(trouble.error, trouble.sent), settings)
    answer = _first_answer(facts)
    if answer is None or answer.response is None:
        return None
    return _refused(facts, answer, answer.response) or _taken(facts, answer, answer.response)


def _refused(facts: Facts, sent: Sent, response: Response) -> Finding | None:
    scheme = facts.access.auth
    if response.status not in {401, 403} or asks_for_later(response):
        return None
    # The error holds what the server said, without secrets.
    error = said(facts.trouble.error, sent).partition("; check ")[0] if facts.trouble else ""
    why = f"The answer is {error or f'{response.status} {response.reason}'}"
    if not facts.settings.request.authenticate:
        return _auth("fail", f"{why}: no credentials were sent, since authenticate is false.", ["authenticate"])
    if scheme == "none":
        return _auth("fail", f"{why}: the account has no credentials to send, since auth is none.", ["auth"])
    if origin_of(sent.request.url) != facts.access.origin:
        return _auth("fail", f"{why}: {_elsewhere(facts, sent)}", ["base_url", "url"])
    if response.status == 401:
        text = (
            f"{why}: the credentials ({scheme}) are not accepted. Is the key right, and does it go to the right place?"
        )
        return _auth("fail", text, ["api_key", *_places_of(scheme)])
    text = f"{why}: the credentials ({scheme}) are known but may not read this, or this path needs other ones."
    return _auth("fail", text, ["api_key", "url"])


def _taken(facts: Facts, sent: Sent, response: Response) -> Finding:
    scheme = facts.access.auth
    if not facts.settings.request.authenticate:
        return _auth("pass", "No credentials are sent, since authenticate is false.")
    if scheme == "none":
        return _auth("pass", "No credentials are sent, since auth is none.")
    if origin_of(sent.request.url) != facts.access.origin:
        return _auth("warn", f"No credentials were sent: {_elsewhere(facts, sent)}", ["base_url", "url"])
    if _is_page(response):
        text = f"The credentials ({scheme}) were sent, but a web page came as if nobody had signed in."
        return _auth("warn", text, ["auth", "api_key", "url"])
    if any(one.step == SIGN_IN for one in facts.sent):
        return _auth("pass", f"Signing in worked ({scheme}), and the token was accepted.")
    return _auth("pass", f"The credentials were sent ({scheme}), and not refused.")


def answer_format(facts: Facts) -> Finding | None:
    """Is the status a success, and the body in the format?"""
    answer = _first_answer(facts)
    if answer is None or answer.response is None:
        return None
    response = answer.response
    if not response.ok:
        return _not_a_success(facts, answer, response)
    if redirected := _landed(answer, response):
        redirected = f" after a redirect to {redirected}"
    try:
        content = decode(response, facts.settings.records.response_format, limit=64 * _MEGABYTE)
    except ValueError as error:
        if _is_page(response):
            text = (
                f"An HTML page came{redirected} instead of data: a login page, or the address is that of a web page."
            )
            return Finding(topic="Answer", verdict="fail", text=text, settings=[facts.access.address, "auth"])
        kind = response.headers.get("content-type", "") or "no content type"
        text = f"The answer ({kind}) is not valid {_format_name(facts)}: {error}."
        return Finding(topic="Answer", verdict="fail", text=text, settings=["response_format", "url"])
    kind = response.headers.get("content-type", "").partition(";")[0] or "no content type"
    shape = {dict: "an object", list: "a list", type(None): "empty"}.get(type(content), "a single value")
    text = f"{response.status} {response.reason}{redirected}, read as {_format_name(facts)} ({kind}); it is {shape}."
    return Finding(topic="Answer", verdict="pass", text=text)


def _not_a_success(facts: Facts, sent: Sent, response: Response) -> Finding | None:
    if response.status in {401, 403} or (asks_for_later(response) and response.status == 429):
        return None  # told by another finding
    error = facts.trouble.error if facts.trouble else None
    text = said(error, sent) if error else f"{response.status} {response.reason}."
    settings = ["url"] if response.status in {404, 405, 410} or response.status >= 500 else ["url", "params", "body"]
    if response.status >= 500:
        text += " The server failed; try again later, or ask for less."
        settings = ["url", "params", "start_from", "page_size"]
    return Finding(topic="Answer", verdict="fail", text=text, settings=settings)


def rate_limit(facts: Facts) -> Finding | None:
    """How much of the server's rate limit is left?"""
    answers = [sent.response for sent in facts.sent if sent.response is not None and sent.step != SIGN_IN]
    if not answers:
        return None
    settings = ["requests_per_minute", "polling_interval"]
    last = answers[-1]
    if asks_for_later(last) and last.status in {403, 429, 503}:
        told = told_wait(last)
        wait = f" and asks to wait {told:.0f} s" if told else ""
        text = f"The server refuses more requests now ({last.status} {last.reason}){wait}. A poll waits that long."
        return Finding(topic="Rate limit", verdict="fail", text=text, settings=settings)
    limit = next((found for found in map(rate_limit_of, reversed(answers)) if found), None)
    if limit is None:
        own = facts.access.requests_per_minute
        text = "The answers do not mention one" + (
            f"; the account keeps to {own:g} requests per minute." if own else "."
        )
        return Finding(topic="Rate limit", verdict="pass", text=text)
    most = f" of {limit.most:,}" if limit.most else ""
    reset = f", all again in {limit.reset:.0f} s" if limit.reset is not None else ""
    text = f"{limit.remaining:,}{most} requests are left{reset}."
    if limit.remaining <= (limit.most * _FEW if limit.most else len(facts.sent)):
        text += " That is little: polls will have to wait. Ask more slowly, or less often."
        return Finding(topic="Rate limit", verdict="warn", text=text, settings=settings)
    return Finding(topic="Rate limit", verdict="pass", text=text)


def _first_answer(facts: Facts) -> Sent | None:
    """The answer to the first request for data; of several, after redirects or a new token, the last."""
    steps = [sent.step for sent in facts.sent if sent.step not in {SIGN_IN, DETAIL}]
    found = [sent for sent in facts.sent if steps and sent.step == steps[0] and sent.response is not None]
    return found[-1] if found else None


def _failed(facts: Facts, error: HttpkitError, sent: Sent | None, settings: list[str]) -> Finding:
    text = said(error, sent)
    if facts.pages and sent:
        text = f"{sent.step.capitalize()}: {text}"
    return Finding(topic="Connection", verdict="fail", text=text, settings=settings)


def _remedies(facts: Facts, error: HttpkitError, sent: Sent) -> list[str]:
    """The settings that the message names; without any it is the address."""
    found = [name for name in _REMEDIES if re.search(rf"\b{name}\b", error.message)]
    if "use a host that its certificate names" in error.message or not found:
        found += ["token_url" if sent.step == SIGN_IN else facts.access.address]
    return found


def _places_of(scheme: str) -> list[str]:
    return ["auth", "username"] if scheme in {"basic", "digest"} else ["auth", "auth_name", "auth_prefix"]


def _elsewhere(facts: Facts, sent: Sent) -> str:
    own, asked = facts.access.origin, origin_of(sent.request.url)
    return (
        f"they belong to {own.scheme}://{own.host}:{own.port}, and the url is at "
        f"{asked.scheme}://{asked.host}:{asked.port}."
    )


def _landed(sent: Sent, response: Response) -> str:
    """Where redirects led, "" when there were none."""
    return without_query(response.url) if origin_of(response.url) != origin_of(sent.request.url) else ""


def _is_page(response: Response) -> bool:
    start = response.body.lstrip()[:200].lower()
    return response.ok and (b"<html" in start or b"<!doctype html" in start)


def _format_name(facts: Facts) -> str:
    form = facts.settings.records.response_format
    return {"auto": "JSON", "text": "text lines", "ndjson": "JSON lines"}.get(form, form.upper())


def _is_own_network(host: str) -> bool:
    try:
        return judge(ip_address(host)) != "public"
    except ValueError:
        return host == "localhost" or "." not in host


def _auth(verdict: Verdict, text: str, settings: Sequence[str] = ()) -> Finding:
    return Finding(topic="Authentication", verdict=verdict, text=text, settings=settings)
