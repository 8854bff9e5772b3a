"""The rules of Sekoia.io's callback, secrets and logs as the relay plays them, asked over real HTTP."""

import pytest

from relay.store import Run
from tests.relay.live_relay import MODULE_SECRET, LiveRelay

EVENT = {"name": "Pushing 1 new entries", "event": {"entries": [1]}, "request_id": "r-1"}
CALLS = [
    ("PATCH", "/sekoia/callback"),
    ("POST", "/sekoia/callback"),
    ("GET", "/sekoia/secrets"),
    ("POST", "/sekoia/logs"),
]


def only_run(relay: LiveRelay) -> Run:
    [run] = relay.store.runs()
    return run


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic dG9rZW4=", "token-of-the-run-7f3a"])
def test_a_wrong_or_missing_token_is_refused(relay: LiveRelay, method: str, path: str, header: str | None) -> None:
    answer = relay.call(method, path, headers={"Authorization": header} if header else {}, json=EVENT)
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("Authorization: ")
    assert relay.store.totals().playbook_runs == 0


def test_an_action_that_starts_gets_the_secrets(relay: LiveRelay) -> None:
    started = {"status": "running", "need_secrets": True}
    answer = relay.call("PATCH", "/sekoia/callback", json=started, headers=relay.bearer)
    assert answer.json() == {"module_configuration": {"value": {"api_key": MODULE_SECRET}}}
    assert only_run(relay).status == "running"


def test_an_account_validator_gets_the_secrets_without_asking(relay: LiveRelay) -> None:
    answer = relay.call("PATCH", "/sekoia/callback", json={"status": "running"}, headers=relay.bearer)
    assert answer.json()["module_configuration"]["value"] == {"api_key": MODULE_SECRET}


def test_what_an_action_reports_at_its_end_is_kept(relay: LiveRelay) -> None:
    report = {
        "status": "finished",
        "results": {"status_code": 200, "text": "nul \x00 😀"},
        "error": "none really",
        "logs": "two\nlines",
        "outputs": {"default": True},
    }
    assert relay.call("PATCH", "/sekoia/callback", json=report, headers=relay.bearer).status_code == 200
    run = only_run(relay)
    assert (run.status, run.results, run.error, run.logs) == (
        "finished",
        report["results"],
        "none really",
        "two\nlines",
    )


def test_a_second_end_is_a_conflict(relay: LiveRelay) -> None:
    first = {"status": "finished", "results": {"n": 1}}
    assert relay.call("PATCH", "/sekoia/callback", json=first, headers=relay.bearer).status_code == 200
    second = relay.call("PATCH", "/sekoia/callback", json={"status": "finished"}, headers=relay.bearer)
    assert second.status_code == 409
    assert only_run(relay).results == {"n": 1}


def test_a_trigger_asking_for_secrets_is_seen_running(relay: LiveRelay) -> None:
    answer = relay.call("GET", "/sekoia/secrets", headers=relay.bearer)
    assert answer.json() == {"value": {"api_key": MODULE_SECRET}, "node_value": {}}
    assert only_run(relay).status == "running"


def test_asking_for_secrets_does_not_undo_a_finished_run(relay: LiveRelay) -> None:
    relay.store.finish_run(relay.run_id, results={"n": 1}, error=None, logs=None)
    relay.call("GET", "/sekoia/secrets", headers=relay.bearer)
    assert only_run(relay).results == {"n": 1}


def test_a_trigger_event_is_kept_once_however_often_it_is_sent(relay: LiveRelay) -> None:
    for _ in range(3):
        assert relay.call("POST", "/sekoia/callback", json=EVENT, headers=relay.bearer).status_code == 200
    [kept] = relay.store.latest_playbook_runs()
    assert (kept.name, kept.event, kept.request_id, kept.directory) == (*EVENT.values(), None)


def test_the_directory_of_a_trigger_event_is_kept(relay: LiveRelay) -> None:
    relay.call("POST", "/sekoia/callback", json={**EVENT, "directory": "d/1"}, headers=relay.bearer)
    assert relay.store.latest_playbook_runs()[0].directory == "d/1"


def test_log_lines_are_kept_with_their_level_and_date(relay: LiveRelay) -> None:
    lines = [
        {"date": "2026-11-22T10:00:00.123456", "level": "error", "message": "first"},
        {"date": "2026-11-22T12:00:00+02:00", "level": "info", "message": "second"},
    ]
    assert relay.call("POST", "/sekoia/logs", json={"logs": lines}, headers=relay.bearer).status_code == 200
    assert [(line.level, line.date.isoformat()) for line in relay.store.latest_logs()] == [
        ("info", "2026-11-22T10:00:00+00:00"),
        ("error", "2026-11-22T10:00:00.123456+00:00"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "names"),
    [
        ("PATCH", "/sekoia/callback", "{", 400, "body: it is not valid JSON"),
        ("PATCH", "/sekoia/callback", "", 400, "body: it is not valid JSON"),
        ("PATCH", "/sekoia/callback", "[]", 422, "body: expected `object`"),
        ("PATCH", "/sekoia/callback", '{"status": "odd"}', 422, "status: "),
        ("PATCH", "/sekoia/callback", '{"status": "finished", "error": 5}', 422, "error: "),
        ("POST", "/sekoia/callback", '{"name": "n", "event": {}}', 422, "body: object missing required field"),
        ("POST", "/sekoia/callback", '{"name": "n", "event": [], "request_id": "r"}', 422, "event: "),
        ("POST", "/sekoia/logs", '{"logs": [{"level": "info"}]}', 422, "logs[0]: "),
        ("POST", "/sekoia/logs", '{"logs": [{"level": "", "message": "m"}]}', 422, "logs[0].level: "),
        ("POST", "/sekoia/logs", '{"logs": [{"date": "noon", "level": "info", "message": "m"}]}', 422, "logs[0].date"),
        (
            "POST",
            "/sekoia/logs",
            '{"logs": [{"date": "0001-01-01T00:00:00+14:00", "level": "info", "message": "m"}]}',
            422,
            "logs[0]: date: ",
        ),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    relay: LiveRelay, method: str, path: str, body: str, status: int, names: str
) -> None:
    answer = relay.call(method, path, data=body, headers=relay.bearer)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(names)
    assert "expected" in answer.json()["error"]


@pytest.mark.parametrize("levels", [101, 500, 5_000, 100_000])
def test_a_value_nested_too_deeply_is_refused_and_the_relay_goes_on(relay: LiveRelay, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    event = f'{{"name": "n", "request_id": "r", "event": {{"a": {deep}}}}}'
    assert relay.call("POST", "/sekoia/callback", data=event, headers=relay.bearer).status_code in (400, 422)
    report = f'{{"status": "finished", "results": {deep}}}'
    assert relay.call("PATCH", "/sekoia/callback", data=report, headers=relay.bearer).status_code in (400, 422)
    assert relay.call("GET", "/overview").status_code == 200


def test_what_is_nested_within_the_limit_can_be_shown(relay: LiveRelay) -> None:
    event = {"name": "n", "request_id": "r", "event": {"a": _nested(97)}}
    assert relay.call("POST", "/sekoia/callback", json=event, headers=relay.bearer).status_code == 200
    assert relay.call("GET", "/overview").status_code == 200


def _nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value
