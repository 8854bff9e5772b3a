"""Streams as the platform runs them: each has its own position, and one that fails does not stop the others."""

from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import Platform, eventually

STREAMS = {
    "streams": [{"name": "logins", "kind": 1}, {"name": "alerts", "kind": 2}],
    "tags": {"stream": "{stream.name}"},
    "records_path": "items",
    "polling_interval": 0.01,
}
TOKENS = {"pagination": "cursor", "next_path": "next", "resume": "token", "next_parameter": "after"}


def numbered(asked: Asked) -> Answer:
    """An API of which every answer has one more record and the token of the next one."""
    after = int(asked.params.get("after", 0 if asked.path == "/logins" else 100))
    if after % 100 == 3:
        return Answer(json={"items": [], "next": None})
    return Answer(json={"items": [{"id": after + 1}], "next": after + 1})


def of_stream(platform: Platform, name: str) -> list[int]:
    """The identities that arrived from a stream."""
    return [event["id"] for event in platform.events() if event["stream"] == name]


def tokens(api: FakeApi, path: str) -> list[str | None]:
    """The tokens that were sent to a path."""
    return [asked.params.get("after") for asked in api.asked if asked.path == path]


def test_two_streams_never_share_a_position(platform: Platform) -> None:
    with FakeApi(numbered) as api:
        settings = {"url": f"{api.url}/{{stream.name}}", **STREAMS, **TOKENS}
        first = platform.start("TesthttpConnector", settings)
        eventually(lambda: len(platform.events()) >= 6, "both streams are read")
        eventually(lambda: tokens(api, "/alerts").count("103") >= 2, "a second poll")
        first.stop()
        before = len(api.asked)
        platform.start("TesthttpConnector", settings)
        eventually(lambda: len(api.asked) >= before + 2, "a poll after the restart")
        asked = [(one.path, one.params.get("after")) for one in api.asked[before : before + 2]]

    assert of_stream(platform, "logins") == [1, 2, 3]
    assert of_stream(platform, "alerts") == [101, 102, 103]
    assert asked == [("/logins", "3"), ("/alerts", "103")]


def test_the_same_identity_in_two_streams_is_two_records(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(json={"items": [{"id": 1}]})) as api:
        platform.start("TesthttpConnector", {"url": f"{api.url}/{{stream.name}}", **STREAMS})
        eventually(lambda: len(api.asked) >= 4, "two polls of both")

    assert sorted(event["stream"] for event in platform.events()) == ["alerts", "logins"]


def test_one_failing_stream_does_not_stop_the_other(platform: Platform) -> None:
    def half(asked: Asked) -> Answer:
        return Answer(status=403, json={}) if asked.path == "/logins" else Answer(json={"items": [{"id": 1}]})

    with FakeApi(half) as api:
        platform.start("TesthttpConnector", {"url": f"{api.url}/{{stream.name}}", **STREAMS})
        eventually(platform.events, "the other stream is delivered")
        errors = eventually(lambda: platform.logs("error"), "the failure is reported")
        eventually(lambda: [one.path for one in api.asked].count("/logins") >= 2, "the failing one is asked again")

    assert of_stream(platform, "alerts") == [1]
    assert errors[0].startswith("Stream logins failed: ")
    assert "403" in errors[0]


def test_one_stream_with_a_wrong_setting_does_not_stop_the_other(platform: Platform) -> None:
    """A line break in a value makes a header that cannot be sent."""
    streams = [{"name": "bad", "header": "a\nb"}, {"name": "good", "header": "ab"}]
    with FakeApi(lambda _: Answer(json={"items": [{"id": 1}]})) as api:
        settings = {**STREAMS, "url": f"{api.url}/{{stream.name}}", "headers": {"X-A": "{stream.header}"}}
        platform.start("TesthttpConnector", {**settings, "streams": streams})
        eventually(platform.events, "the other stream is delivered")
        errors = eventually(lambda: platform.logs("error"), "the wrong setting is reported")

    assert of_stream(platform, "good") == [1]
    assert errors[0].startswith("Stream bad failed: headers: ")


def test_the_same_stream_twice_is_a_configuration_error(platform: Platform) -> None:
    settings = {**STREAMS, "url": "http://127.0.0.1:9/a", "streams": [{"name": "a"}, {"name": "a"}]}
    platform.start("TesthttpConnector", settings)
    critical = eventually(lambda: platform.logs("critical"), "the error is reported")

    assert critical[0].startswith("Configuration error: streams: ")


def test_when_all_streams_fail_the_poll_failed(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(status=404, json={})) as api:
        platform.start("TesthttpConnector", {"url": f"{api.url}/{{stream.name}}", **STREAMS})
        eventually(lambda: any(line.startswith("Poll failed") for line in platform.logs("error")), "it is reported")
