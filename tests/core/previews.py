"""Previews as tests make them: settings as the configuration names them, and the report by topic."""

from typing import Any

from httpkit.account import credentials_of
from httpkit.auth import AccountSettings
from httpkit.client import Client, Proof
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.destinations import origin_of
from httpkit.events import event_text
from httpkit.exchanges import ExchangeLog
from httpkit.findings import report_of
from httpkit.intake import EVENT_BYTES
from httpkit.paging_styles import PagingSettings
from httpkit.preview import MOST_REQUESTS, Preview
from httpkit.preview_facts import Access, Delivery, Facts
from httpkit.preview_report import Finding, Report
from httpkit.records import RecordSettings
from httpkit.redaction import Redactor
from httpkit.request_templates import RequestSettings
from httpkit.shaping import ShapingSettings
from httpkit.source_settings import SourceSettings
from httpkit.values import JsonValue
from httpkit.windows import WindowSettings
from tests.core.clients import local_settings

CONNECTOR = Delivery(
    form=lambda value: (event_text(value, "test"), ""), limit_bytes=EVENT_BYTES, receiver="the intake"
)
KEY = "s3cr3t-key"


def settings_of(url: str, **groups: Any) -> SourceSettings:
    """Settings of a source: keyword arguments by group, the rest are those outside of the groups."""
    kinds: dict[str, Any] = {
        "request": RequestSettings,
        "paging": PagingSettings,
        "records": RecordSettings,
        "windows": WindowSettings,
        "shaping": ShapingSettings,
    }
    given = {name: dict(groups.pop(name, {})) for name in kinds}
    given["request"] = {"url": url, "authenticate": True, **given["request"]}
    return SourceSettings(**{name: kind(**given[name]) for name, kind in kinds.items()}, **groups)


def looked_at(
    settings: SourceSettings,
    *,
    account: AccountSettings | None = None,
    origin: str = "",
    delivery: Delivery = CONNECTOR,
    clocks: Clocks = SYSTEM_CLOCKS,
    around: Any = None,
    **client: Any,
) -> tuple[Facts, Redactor]:
    """What a preview saw; `around` answers instead of the network, `client` changes the settings of its client."""
    account = account or AccountSettings(auth="bearer", api_key=KEY)
    redactor, own = Redactor(), origin_of(origin or settings.request.url)
    log = ExchangeLog(limit=MOST_REQUESTS, sign_in_url=account.token_url, around=around)
    proof = Proof(credentials=credentials_of(account, redactor=redactor, clocks=clocks), origin=own)
    sender = Client(local_settings(wire=log, **client), proof=proof, redactor=redactor, clocks=clocks)
    tls = client.get("tls")
    access = Access(auth=account.auth, origin=own, verify_tls=tls.verify_tls if tls else True)
    return Preview(settings, sender, log, access=access, delivery=delivery, clocks=clocks).read(), redactor


def report(settings: SourceSettings, **options: Any) -> Report:
    """The report of a preview; the options are those of `looked_at`."""
    facts, redactor = looked_at(settings, **options)
    return report_of(facts, most_requests=MOST_REQUESTS, redactor=redactor)


def finding(topic: str, settings: SourceSettings, **options: Any) -> Finding:
    """What a preview finds about a topic."""
    return next(one for one in report(settings, **options).findings if one.topic == topic)


def proposed(found: Finding) -> list[str]:
    """The values that a finding proposes."""
    return [suggestion.value for suggestion in found.suggestions]


def item(number: int, **fields: JsonValue) -> dict[str, JsonValue]:
    """A record with an identity."""
    return {"id": number, **fields}
