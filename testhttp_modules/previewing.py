"""The preview of a configuration as a program: an order comes as JSON on stdin, its outcome goes as JSON to stdout.

The order holds `configuration` (as users write it into a file), `stream` ("" is the first one), and for a replay
`recording`. The outcome holds `report` and `recording`, or `error` when the configuration is not usable. Nothing else
is written, and nothing is delivered.
"""

import json
import re
import signal
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from threading import Event
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from httpkit.account import credentials_of
from httpkit.client import Client, Proof
from httpkit.client_settings import Exchange
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.destinations import origin_of
from httpkit.documents import encode_json
from httpkit.errors import HttpkitError, SettingsError
from httpkit.events import event_text
from httpkit.exchanges import ExchangeLog
from httpkit.findings import report_of
from httpkit.intake import EVENT_BYTES
from httpkit.preview import MOST_REQUESTS, Preview
from httpkit.preview_facts import Access, Delivery
from httpkit.recordings import Replay, recorded
from httpkit.redaction import MASK, Redactor, request_secrets
from httpkit.stopping import Stopped
from httpkit.throttle import RetryPolicy
from httpkit.tls import TlsSettings
from httpkit.values import JsonValue, Request, Response
from testhttp_modules import TesthttpModule
from testhttp_modules.account import absolute_url, account_settings, base_url, client_settings
from testhttp_modules.models import (
    Entry,
    SourceConfiguration,
    TesthttpConnectorConfiguration,
    TesthttpModuleConfiguration,
    TriggerConfiguration,
)
from testhttp_modules.translation import SECRET_FIELDS, sentence, source_settings, stream_names

CONFIGURATION_ERROR, INTERRUPTED = 2, 130

_CONNECTOR, _TRIGGER = "connector_configuration", "trigger_configuration"
_HEADER_PATH = re.compile(r"header:\s*([^)\s\"]+)")
_RECORDING = "preview of TestHTTP, version 1"
_SLOW_SECONDS = 2.0

Document = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


class Order:
    """What is to be previewed, read and checked.

    Args:
        document: as it came.

    Raises:
        SettingsError: a form is not valid, or there is no such stream.
    """

    def __init__(self, document: Document) -> None:
        self.given: Document = document["configuration"]
        recording: Document | None = document.get("recording")
        self.is_trigger = self.given.get(_TRIGGER) is not None
        form, model = (_TRIGGER, TriggerConfiguration) if self.is_trigger else (_CONNECTOR, _Connector)
        self.account = _read(TesthttpModuleConfiguration, "module_configuration", self.given)
        self.configuration: SourceConfiguration = _read(model, form, self.given)
        streams = self.configuration.streams
        names = stream_names(streams)
        wanted = document.get("stream") or (recording or {}).get("stream") or (names[0] if names else "")
        if wanted and wanted not in names:
            raise SettingsError("stream", f"none is named {wanted!r}; there are {', '.join(names) or 'none'}")
        self.stream: Mapping[str, JsonValue] = streams[names.index(wanted)] if wanted else {}
        self.stream_name: str = wanted
        self.other_streams = [name for name in names if name != wanted]
        self.redactor = Redactor(_secrets(self.account, self.configuration))
        self.url = absolute_url(self.account, self.configuration.url)
        self.origin = origin_of(base_url(self.account) if self.account.base_url else self.url)
        self.replay, self.clocks = _replay(recording, self.redactor)


class _Connector(TesthttpConnectorConfiguration):
    """The form of the connector, in which the intake key may be missing: nothing is delivered."""

    intake_key: str = ""


def outcome_of(document: Document, stop: Event) -> Document:
    """Run a preview.

    Raises:
        SettingsError: the configuration is not usable.
        httpkit.stopping.Stopped: the stop event was set.
    """
    order = Order(document)
    log = ExchangeLog(
        limit=MOST_REQUESTS, sign_in_url=order.account.token_url, around=order.replay or _sent_with_patience
    )
    settings = source_settings(order.account, order.configuration, order.stream)
    client = _client(order, log, stop)
    preview = Preview(
        settings, client, log, access=_access(order), delivery=_delivery(order.configuration), clocks=order.clocks
    )
    facts = preview.read()
    # First, since it makes the redactor know the secrets that stand in addresses.
    exchanges = recorded(facts.sent, order.redactor, kept_headers=_HEADER_PATH.findall(json.dumps(order.given)))
    report = report_of(facts, most_requests=MOST_REQUESTS, redactor=order.redactor)
    about = {
        "component": "NewEntriesTrigger" if order.is_trigger else "TesthttpConnector",
        "stream": order.stream_name,
        "other_streams": order.other_streams,
        "verdict": report.verdict,
    }
    recording = {
        "recording": _RECORDING,
        "recorded_at": report.begun,
        "stream": about["stream"],
        "exchanges": exchanges,
        "configuration": order.redactor.clean_value(_without_secrets(order.given)),
    }
    return {"report": {**about, **msgspec.to_builtins(report)}, "recording": recording}


def _read(model: type[Model], form: str, given: Document) -> Model:
    try:
        return model.model_validate(given.get(form) or {})
    except ValidationError as error:
        raise SettingsError(form, sentence(error)) from None


def _secrets(account: TesthttpModuleConfiguration, asked: SourceConfiguration) -> list[str]:
    """What looks like a secret in either form; those of the account's scheme come with its credentials."""
    return [
        account.client_key,
        getattr(asked, "intake_key", ""),
        *request_secrets(account.proxy),
        *request_secrets(account.base_url),
        *request_secrets(asked.url, asked.headers, asked.params, asked.body),
        *request_secrets(asked.prepare_url, asked.prepare_body, asked.next_params, asked.next_body),
        *request_secrets(asked.detail_url, asked.detail_params, *asked.streams),
    ]


def _replay(recording: Document | None, redactor: Redactor) -> tuple[Replay | None, Clocks]:
    if recording is None:
        return None, SYSTEM_CLOCKS
    try:
        moment = datetime.fromisoformat(recording["recorded_at"])
        # Nothing runs out during a replay, however long ago it was recorded.
        clocks = Clocks(monotonic=lambda: 0.0, now=lambda: moment)
        return Replay(recording["exchanges"], redactor), clocks
    except (KeyError, TypeError, ValueError):
        raise SettingsError("replay", "the file is not a recording of a preview; make one with --record") from None


def _client(order: Order, log: ExchangeLog, stop: Event) -> Client:
    """The client of the account, which tries each request once: what fails is to be seen."""
    settings = replace(client_settings(TesthttpModule(), order.account, retry=RetryPolicy(retries=0)), wire=log)
    if order.replay:
        # A recording holds no keys, and needs none.
        settings = replace(settings, tls=TlsSettings(), proxy="")
    credentials = credentials_of(account_settings(order.account), redactor=order.redactor, clocks=order.clocks)
    proof = Proof(credentials=credentials, origin=order.origin)
    return Client(settings, proof=proof, redactor=order.redactor, stop=stop, clocks=order.clocks)


def _access(order: Order) -> Access:
    account = order.account
    return Access(
        auth=account.auth,
        origin=order.origin,
        address="url" if "://" in order.configuration.url else "base_url",
        verify_tls=account.verify_tls,
        requests_per_minute=account.requests_per_minute,
    )


def _delivery(configuration: SourceConfiguration) -> Delivery:
    if isinstance(configuration, TesthttpConnectorConfiguration):
        source = configuration.source
        return Delivery(
            form=lambda value: (event_text(value, source), ""), limit_bytes=EVENT_BYTES, receiver="the intake"
        )
    return Delivery(form=_entry, limit_bytes=0, receiver="a playbook run")


def _entry(value: JsonValue) -> tuple[str, str]:
    """An event as the trigger hands it to a playbook, and why it does not."""
    try:
        return Entry.model_validate(value).model_dump_json(), ""
    except ValidationError as error:
        return encode_json(value).decode(), sentence(error)


def _without_secrets(given: Document) -> Document:
    """The forms with their secret fields masked; the redactor masks what stands elsewhere."""
    return {
        form: {name: MASK if name in SECRET_FIELDS and value else value for name, value in fields.items()}
        for form, fields in given.items()
        if isinstance(fields, dict)
    }


def _given_secrets(document: Document) -> Redactor:
    """Masks in what is said of forms that could not be read."""
    forms = [fields for fields in document["configuration"].values() if isinstance(fields, dict)]
    named = [str(value) for fields in forms for name, value in fields.items() if name in SECRET_FIELDS]
    urls = [value for fields in forms for value in fields.values() if isinstance(value, str) and "://" in value]
    return Redactor([*named, *(secret for url in urls for secret in request_secrets(url))])


def _sent_with_patience(step: str, request: Request, send: Exchange) -> Response:
    """Send, and tell on stderr when it takes long; the account's own rate may be the reason."""
    done = threading.Event()
    host = origin_of(request.url).host

    def tell() -> None:
        seconds = _SLOW_SECONDS
        while not done.wait(_SLOW_SECONDS):
            print(f"{step}: waiting for {host}, {seconds:.0f} s …", file=sys.stderr, flush=True)
            seconds += _SLOW_SECONDS

    watcher = threading.Thread(target=tell, name="patience", daemon=True)
    watcher.start()
    try:
        return send(request)
    finally:
        done.set()


def main() -> int:
    """Read the order, write the outcome; the exit code says whether there is a report."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    document, status = json.load(sys.stdin), 0
    try:
        outcome = outcome_of(document, stop)
    except Stopped:
        return INTERRUPTED
    except HttpkitError as error:
        outcome, status = {"error": _given_secrets(document).clean(error.message)}, CONFIGURATION_ERROR
    json.dump(outcome, sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
