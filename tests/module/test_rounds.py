"""One poll of all streams: what one of them does to the others, to the health of the component and to its end."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.stopping import Stopped
from httpkit.values import Batch
from testhttp_modules.flight import Delivery, Departure, Flight
from testhttp_modules.health import Health
from testhttp_modules.models import TesthttpConnectorConfiguration, TesthttpModuleConfiguration
from testhttp_modules.reading import Reading, readings_of
from testhttp_modules.rounds import Host, poll_all
from tests.core.clients import local_settings
from tests.fake_api import Answer, Asked, FakeApi

BROKEN_HEADER = "a\nb"


class Component:
    """Keeps its log lines; waits may be ended by its signs of life."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lives = threading.Event()

    def log(self, message: str, *, level: str) -> None:
        self.lines.append(f"{level}: {message}")

    def heartbeat(self) -> None:
        self.lives.set()


class Rounds:
    """Polls streams as a component does.

    Attributes:
        arrives: is the fate of what is on its way known at once, or only when it is waited for?
        refuses: what the delivery of a stream raises, by its name.
        delivered: the name of the stream of each record.
        remembered: was a batch delivered and remembered?
        refused: was the delivery of a batch refused?
        waited: was a page waited for while a batch was on its way?
        order: what happened to the batches, and the waits for a page while one was on its way.
    """

    def __init__(self, folder: Path, url: str, streams: list[dict[str, Any]]) -> None:
        self.component = Component()
        self.host = Host(component=self.component, health=Health(self.component), stop=threading.Event())
        self.refuses: dict[str, HttpkitError] = {}
        self.arrives = True
        self.delivered: list[str] = []
        configuration = TesthttpConnectorConfiguration(
            intake_key="key",
            url=f"{url}/{{stream.name}}" if streams else f"{url}/only",
            pagination="link_header",
            since_parameter="since",
            until_parameter="until",
            headers={"X-A": "{stream.header}"} if any("header" in stream for stream in streams) else {},
            streams=streams,
        )
        account = TesthttpModuleConfiguration(api_key="key", allow_private_networks=True)
        self.remembered, self.refused, self.waited = threading.Event(), threading.Event(), threading.Event()
        self.order: list[str] = []
        self._flight = Flight(Delivery(prepare=lambda _, batch: batch, begin=self._begin))
        client = Client(local_settings(meanwhile=self._meanwhile), stop=self.host.stop)
        self.readings = readings_of("connector", account, configuration, client, folder, stop=self.host.stop)

    def poll(self) -> int:
        """Poll all streams once; the number of records that were delivered."""
        return poll_all(self.readings, self._flight, self.host).delivered

    def _meanwhile(self) -> None:
        if self.order and self.order[-1] == "begun":
            self.order.append("waited")
            self.waited.set()
        self.component.heartbeat()
        self._flight.look()

    def _begin(self, reading: Reading, batch: Batch, whole: Batch) -> Departure:
        self.order.append("begun")
        return Departure(decided=lambda: self.arrives, end=lambda: self._deliver(reading, batch, whole))

    def _deliver(self, reading: Reading, _: Batch, whole: Batch) -> int:
        if reading.name in self.refuses:
            self.refused.set()
            raise self.refuses[reading.name]
        self.host.remember(reading, [record.key for record in whole.records], whole.position)
        self.remembered.set()
        self.order.append("delivered")
        self.delivered += [reading.name] * len(whole.records)
        return len(whole.records)

    def close(self) -> None:
        for reading in self.readings:
            reading.memory.close()


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API with one record in each stream, unless the test says otherwise."""
    with FakeApi(lambda _: Answer(json=[{"id": 1}])) as running:
        yield running


Start = Callable[..., Rounds]


@pytest.fixture
def rounds_of(tmp_path: Path, api: FakeApi) -> Iterator[Start]:
    """Starts streams, and lets their memories go at the end."""
    started: list[Rounds] = []

    def start(*streams: dict[str, Any]) -> Rounds:
        started.append(Rounds(tmp_path, api.url, list(streams)))
        return started[-1]

    yield start
    for one in started:
        one.close()


def down(*paths: str) -> Callable[[Asked], Answer]:
    """An API of which some paths are unavailable."""
    return lambda asked: Answer(status=503) if asked.path in paths else Answer(json=[{"id": 1}])


@pytest.mark.parametrize(
    "error", [UnexpectedShapeError("transform finds nothing"), RefusedError("not these", status=400)]
)
def test_a_stream_whose_records_cannot_be_delivered_does_not_stop_the_others(
    rounds_of: Start, error: HttpkitError
) -> None:
    rounds = rounds_of({"name": "bad"}, {"name": "good"})
    rounds.refuses["bad"] = error

    assert rounds.poll() == 1
    assert rounds.delivered == ["good"]
    assert f"error: Stream bad failed: {error.message}" in rounds.component.lines


@pytest.mark.parametrize("error", [UnavailableError("the disk is full"), SettingsError("intake_key", "is refused")])
def test_a_delivery_that_no_stream_can_use_ends_the_poll(rounds_of: Start, error: HttpkitError) -> None:
    rounds = rounds_of({"name": "one"}, {"name": "other"})
    rounds.refuses["one"] = error

    with pytest.raises(type(error)):
        rounds.poll()


def test_a_wrong_stream_beside_streams_that_are_unavailable_is_no_end(rounds_of: Start, api: FakeApi) -> None:
    """A wrong setting ends the component, which an outage of the other streams must not bring about."""
    rounds = rounds_of({"name": "bad", "header": BROKEN_HEADER}, {"name": "good", "header": "x"})
    assert rounds.poll() == 1
    api.handler = down("/good")

    with pytest.raises(UnavailableError):
        rounds.poll()


def test_when_all_streams_are_wrong_only_a_human_can_help(rounds_of: Start) -> None:
    rounds = rounds_of({"name": "one", "header": BROKEN_HEADER}, {"name": "other", "header": BROKEN_HEADER})

    with pytest.raises(SettingsError, match="headers"):
        rounds.poll()


def test_signs_of_life_are_given_while_one_page_takes_long(rounds_of: Start, api: FakeApi) -> None:
    rounds = rounds_of()
    lives = rounds.component.lives

    def slow(_: Asked) -> Answer:
        lives.clear()
        return Answer(json=[{"id": 1}], wait=lives)

    api.handler = slow

    assert rounds.poll() == 1


def test_streams_whose_first_values_are_the_same_have_a_health_each(rounds_of: Start, api: FakeApi) -> None:
    rounds = rounds_of({"region": "eu", "name": "down"}, {"region": "eu", "name": "well"})
    api.handler = down("/down")

    for _ in range(3):
        rounds.poll()
    context = rounds.host.health.context()
    assert context["state"] == "failing"
    (error,) = [line for line in rounds.component.lines if line.startswith("error")]
    assert error.startswith("error: Stream eu/down failed: ")

    api.handler = down()
    rounds.poll()
    assert rounds.host.health.context() == {"state": "ok", "troubles": []}
    assert any(line.startswith("info: Stream eu/down works again") for line in rounds.component.lines)


def test_a_single_source_that_fails_is_not_well_and_is_told_once(rounds_of: Start, api: FakeApi) -> None:
    """The loop of the component logs what the poll raises."""
    rounds = rounds_of()
    api.handler = down("/only")

    with pytest.raises(UnavailableError):
        rounds.poll()
    context = rounds.host.health.context()
    assert context["state"] == "failing"
    assert "503" in str(context["troubles"])
    assert rounds.component.lines == []

    api.handler = down()
    rounds.poll()
    assert rounds.host.health.context()["state"] == "ok"
    assert rounds.component.lines == []


# delivery beside reading


def two_pages(second: Answer) -> Callable[[Asked], Answer]:
    """An API whose first page names a second one."""

    def handler(asked: Asked) -> Answer:
        if "page" in asked.params:
            return second
        return Answer(json=[{"id": 1}], headers={"Link": f'<{asked.path}?page=2>; rel="next"'})

    return handler


def test_what_has_arrived_is_remembered_while_the_next_page_is_waited_for(rounds_of: Start, api: FakeApi) -> None:
    """The wait may be long, and a crash in it would deliver the page again."""
    rounds = rounds_of()
    api.handler = two_pages(Answer(json=[{"id": 2}], wait=rounds.remembered))

    assert rounds.poll() == 2


def test_what_has_not_arrived_is_not_remembered(rounds_of: Start, api: FakeApi) -> None:
    rounds = rounds_of()
    rounds.arrives = False
    api.handler = two_pages(Answer(json=[{"id": 2}], wait=rounds.waited))

    assert rounds.poll() == 2
    assert rounds.order == ["begun", "waited", "delivered", "begun", "delivered"]


def test_there_are_never_two_batches_on_their_way(rounds_of: Start, api: FakeApi) -> None:
    rounds = rounds_of({"name": "one"}, {"name": "other"})
    rounds.arrives = False
    api.handler = two_pages(Answer(json=[{"id": 2}]))

    rounds.poll()

    assert [step for step in rounds.order if step != "waited"] == ["begun", "delivered"] * 4


def test_a_page_that_fails_comes_after_what_was_on_its_way(rounds_of: Start, api: FakeApi) -> None:
    rounds = rounds_of()
    rounds.arrives = False
    api.handler = two_pages(Answer(status=502))

    with pytest.raises(UnavailableError):
        rounds.poll()

    (reading,) = rounds.readings
    assert len(rounds.delivered) == len(reading.memory.seen) == 1
    assert reading.memory.position.window is not None
    assert reading.memory.position.window.failures == 1


def test_a_delivery_that_fails_while_a_page_is_waited_for_is_no_failure_of_the_page(
    rounds_of: Start, api: FakeApi
) -> None:
    """Else the window would be read in halves because of what the intake says."""
    rounds = rounds_of()
    rounds.refuses[""] = RefusedError("not these", status=400)
    api.handler = two_pages(Answer(json=[{"id": 2}], wait=rounds.refused))

    with pytest.raises(RefusedError, match="not these"):
        rounds.poll()

    (reading,) = rounds.readings
    assert reading.memory.position.window is not None
    assert reading.memory.position.window.failures == 0


def test_a_stop_while_a_page_is_waited_for_loses_nothing_of_what_has_arrived(rounds_of: Start, api: FakeApi) -> None:
    rounds = rounds_of()
    rounds.arrives = False
    api.handler = two_pages(Answer(json=[{"id": 2}], wait=threading.Event()))

    def stop_once_it_arrived() -> None:
        rounds.waited.wait()
        rounds.arrives = True
        rounds.host.stop.set()

    thread = threading.Thread(target=stop_once_it_arrived)
    thread.start()
    with pytest.raises(Stopped):
        rounds.poll()
    thread.join()

    assert len(rounds.readings[0].memory.seen) == 1
