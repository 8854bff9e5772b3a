"""Each recipe in examples/recipes against a small copy of its API; only the host and the pace are changed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from httpkit.clocks import Clocks
from httpkit.errors import RefusedError, SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.paths import compile_path
from httpkit.redaction import Redactor
from httpkit.source import Source
from httpkit.times import event_moment
from httpkit.values import Position
from relay.sekoia.run_file import read_run_file
from testhttp_modules import TesthttpModule
from testhttp_modules.account import absolute_url, account_client
from testhttp_modules.models import TesthttpConnectorConfiguration, TesthttpModuleConfiguration
from testhttp_modules.translation import source_settings
from tests.e2e.recipe_apis import RECIPE_APIS
from tests.e2e.recipe_tenants import Happening, RecipeApi, Tenant
from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import API_KEY, Platform, eventually

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = REPOSITORY / "examples" / "recipes"
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
EVERY_RECIPE = pytest.mark.parametrize("name", sorted(RECIPE_APIS))


class Reader:
    """A recipe that is polled as the connector polls it, with a clock that the test turns.

    Args:
        url: where the API is; it takes the place of the recipe's hosts.
    """

    def __init__(self, name: str, url: str) -> None:
        account, connector = moved(name, url)
        self.account = TesthttpModuleConfiguration.model_validate(account)
        self.configuration = TesthttpConnectorConfiguration.model_validate({"intake_key": "any", **connector})
        self.now = NOW
        self._sources = [self._source(stream) for stream in self.configuration.streams or [{}]]
        self._positions = [Position()] * len(self._sources)
        self._seen = [SeenKeys() for _ in self._sources]

    def poll(self) -> list[Any]:
        """The events that one poll of all streams delivers."""
        delivered = []
        for number, source in enumerate(self._sources):
            seen = self._seen[number]
            for batch in source.poll(seen, self._positions[number]):
                delivered += [event for record in batch.records for event in source.events(record)]
                seen.add(record.key for record in batch.records)
                self._positions[number] = batch.position
        return delivered

    def moment(self, record: Any) -> datetime | None:
        """The time of a record."""
        found = compile_path("timestamp_path", self.configuration.timestamp_path)(record)
        return event_moment(found, self.configuration.timestamp_format)

    def identity(self, record: Any) -> str:
        """The identity of a record, as text; every part of it must be there."""
        found = compile_path("id_path", self.configuration.id_path)(record)
        assert found
        assert not isinstance(found, list) or None not in found
        return json.dumps(found)

    def _source(self, stream: dict[str, Any]) -> Source:
        url = absolute_url(self.account, self.configuration.url)
        module = TesthttpModule()
        client = account_client(module, self.account, url, stop=Event(), redactor=Redactor())
        clocks = Clocks(monotonic=lambda: 0.0, now=lambda: self.now)
        return Source(source_settings(self.account, self.configuration, stream), client, clocks=clocks)


def moved(name: str, url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The account and the connector of a recipe, for an API at another place and without a limit of pace."""
    recipe = read_run_file(RECIPES / f"{name}.json")
    account: dict[str, Any] = dict(recipe.module_configuration)
    for field in {"base_url", "token_url"} & set(account):
        account[field] = url + urlsplit(account[field]).path
    account |= {"allow_private_networks": True, "requests_per_minute": 0}
    return account, dict(recipe.connector_configuration or {})


def history(api: RecipeApi, now: datetime) -> list[Happening]:
    """In each stream something older than a day, and two pages and a third of a page since."""
    recent = api.page * 2 + api.page // 3
    step = timedelta(seconds=72_000 // recent)
    return [
        happening
        for place, stream in enumerate(api.streams)
        for happening in [
            *(Happening(number=place * 10_000 + n, at=now - timedelta(days=3), stream=stream) for n in range(3)),
            *(
                Happening(number=place * 10_000 + 1_000 + n, at=now - timedelta(hours=20) + step * n, stream=stream)
                for n in range(recent)
            ),
        ]
    ]


def growth(api: RecipeApi) -> list[Happening]:
    """In each stream one thing that shows up late, and some that are new."""
    moments = [NOW - timedelta(minutes=2), *(NOW + timedelta(minutes=minute) for minute in range(1, 10))]
    return [
        Happening(number=place * 10_000 + 9_000 + n, at=at, stream=stream)
        for place, stream in enumerate(api.streams)
        for n, at in enumerate(moments)
    ]


def numbers(happenings: list[Happening]) -> list[int]:
    """What a recipe must deliver of these: all of the last day."""
    return sorted(one.number for one in happenings if one.at >= NOW - timedelta(days=1))


def test_every_recipe_has_an_api_to_be_tried_on() -> None:
    assert {path.stem for path in RECIPES.glob("*.json")} == set(RECIPE_APIS)


@EVERY_RECIPE
def test_each_record_is_delivered_once_over_two_polls(name: str) -> None:
    api = RECIPE_APIS[name]
    first, added = history(api, NOW), growth(api)
    tenant = Tenant(first, key=secret_of(name))
    with FakeApi(api.handler(tenant)) as server:
        reader = Reader(name, server.url)
        before = reader.poll()
        pages = len(server.asked)
        tenant.happenings += added
        reader.now = LATER
        after = reader.poll()

    assert sorted(record["number"] for record in before) == numbers(first)
    assert sorted(record["number"] for record in after) == numbers(added)
    assert pages >= 3 * len(api.streams)


@EVERY_RECIPE
def test_each_record_has_an_identity_and_its_time(name: str) -> None:
    api = RECIPE_APIS[name]
    happenings = growth(api)
    with FakeApi(api.handler(Tenant(happenings, key=secret_of(name)))) as server:
        reader = Reader(name, server.url)
        reader.now = LATER
        records = reader.poll()

    times = {one.number: one.at for one in happenings}
    assert {record["number"]: reader.moment(record) for record in records} == times
    assert len({reader.identity(record) for record in records}) == len(happenings)


@EVERY_RECIPE
def test_a_quiet_api_is_no_error(name: str) -> None:
    api = RECIPE_APIS[name]
    with FakeApi(api.handler(Tenant([], key=secret_of(name)))) as server:
        reader = Reader(name, server.url)

        assert reader.poll() == []


@EVERY_RECIPE
def test_a_wrong_secret_is_refused(name: str) -> None:
    tenant = Tenant([], key="another secret")
    with FakeApi(RECIPE_APIS[name].handler(tenant)) as server, pytest.raises((RefusedError, SettingsError)):
        Reader(name, server.url).poll()


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("cloudflare_audit_logs", {"success": False, "errors": [{"code": 10000}], "result": None}),
        ("google_workspace_activities", {"error": {"code": 403, "message": "denied"}}),
        ("slack_audit_logs", {"ok": False, "error": "feature_not_enabled"}),
        ("wiz_audit_log", {"errors": [{"message": "access denied"}], "data": None}),
    ],
)
def test_a_failure_behind_a_200_is_not_taken_for_silence(name: str, failure: Any) -> None:
    api = RECIPE_APIS[name].handler(Tenant([], key=secret_of(name)))

    def failing(asked: Asked) -> Answer:
        return api(asked) if asked.path.endswith("/token") else Answer(json=failure)

    with FakeApi(failing) as server, pytest.raises(UnexpectedShapeError):
        Reader(name, server.url).poll()


def test_events_of_1password_name_their_stream() -> None:
    name = "1password_events"
    api = RECIPE_APIS[name]
    with FakeApi(api.handler(Tenant(history(api, NOW), key=secret_of(name)))) as server:
        events = Reader(name, server.url).poll()

    assert {event["event_stream"] for event in events} == set(api.streams)


@EVERY_RECIPE
def test_a_recipe_holds_placeholders_instead_of_credentials(name: str) -> None:
    assert secret_of(name).startswith("YOUR_")


@pytest.mark.parametrize("name", sorted(name for name, api in RECIPE_APIS.items() if api.updates))
def test_a_record_that_changed_is_delivered_again(name: str) -> None:
    tenant = Tenant([Happening(number=1, at=NOW - timedelta(hours=1))], key=secret_of(name))
    with FakeApi(RECIPE_APIS[name].handler(tenant)) as server:
        reader = Reader(name, server.url)
        before = reader.poll()
        tenant.happenings.append(Happening(number=1, at=NOW + timedelta(minutes=1)))
        reader.now = LATER
        after = reader.poll()

    assert [len(before), len(after)] == [1, 1]


def test_a_ticket_export_goes_on_where_it_ended() -> None:
    name = "zendesk_tickets"
    tenant = Tenant(history(RECIPE_APIS[name], NOW), key=secret_of(name))
    with FakeApi(RECIPE_APIS[name].handler(tenant)) as server:
        reader = Reader(name, server.url)
        reader.poll()
        reader.poll()

    assert ["start_time" in asked.params for asked in server.asked] == [True, False, False, False]


def test_every_recipe_is_explained() -> None:
    page = (REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8")
    sections = {line[3:].lower().replace(" ", "-") for line in page.splitlines() if line.startswith("## ")}

    for name in RECIPE_APIS:
        anchor = name.replace("_", "-")
        assert anchor in sections
        assert f"](#{anchor}) | `examples/recipes/{name}.json` |" in page


@pytest.mark.parametrize("name", ["okta_system_log", "microsoft_entra_sign_ins"])
def test_the_connector_itself_runs_a_recipe(name: str, platform: Platform) -> None:
    api = RECIPE_APIS[name]
    happenings = history(api, datetime.now(UTC).replace(microsecond=0))
    recent = [one.number for one in happenings[3:]]
    with FakeApi(api.handler(Tenant(happenings, key=API_KEY))) as server:
        account, connector = moved(name, server.url)
        platform.start("TesthttpConnector", connector, account=account)
        eventually(lambda: len(platform.events()) >= len(recent), "all records arrive")

    assert sorted(event["number"] for event in platform.events()) == recent
    assert {event["source"] for event in platform.events()} == {connector["source"]}


def secret_of(name: str) -> str:
    """The placeholder that a recipe has for its secret."""
    secret: Any = read_run_file(RECIPES / f"{name}.json").module_configuration["api_key"]
    assert isinstance(secret, str)
    return secret
