"""The preview as users start it, and of every recipe against the copy of its API."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from httpkit.errors import SettingsError
from relay.__main__ import commands
from relay.sekoia.run_file import read_run_file
from testhttp_modules.previewing import outcome_of
from tests.e2e.recipe_apis import RECIPE_APIS
from tests.e2e.recipe_tenants import Tenant
from tests.e2e.test_recipes import RECIPES, history, moved, secret_of
from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = "s3cr3t-of-the-test"
EVERY_RECIPE = pytest.mark.parametrize("name", sorted(RECIPE_APIS))


def paged(asked: Asked) -> Answer:
    """Three pages; the answer echoes what was sent."""
    page = int(asked.params.get("page", "1"))
    items = [{"id": number, "asked": asked.headers.get("authorization")} for number in range(page * 3, page * 3 + 3)]
    return Answer(json={"items": items if page <= 3 else []}, headers={"Set-Cookie": f"session={KEY}"})


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API with three pages; a test may give it another handler."""
    with FakeApi(paged) as running:
        yield running


def configured(api: FakeApi, **connector: Any) -> dict[str, Any]:
    """A configuration as users write it."""
    defaults = {"url": f"{api.url}/items", "records_path": "items", "pagination": "page"}
    return {
        "module_configuration": {"api_key": KEY, "allow_private_networks": True},
        "connector_configuration": {**defaults, **connector},
    }


def written(folder: Path, configuration: Any) -> Path:
    """A file with a configuration, in a folder of its own."""
    path = folder / "mine.json"
    path.write_text(json.dumps(configuration))
    return path


def preview(*arguments: str | Path) -> Result:
    """Run the command; only the module's program is a process of its own, as for users."""
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(commands, ["preview", *(str(argument) for argument in arguments)])


def started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command as a user does, from another folder than the repository's."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "relay", "preview", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(configuration: Any, **order: Any) -> Any:
    """What the module's program gives."""
    return outcome_of({"configuration": configuration, **order}, threading.Event())


def verdicts(report: Any) -> dict[str, str]:
    """The verdict on each topic."""
    return {finding["topic"]: finding["verdict"] for finding in report["findings"]}


@EVERY_RECIPE
def test_the_preview_of_a_recipe_passes_and_its_recording_gives_the_same(name: str) -> None:
    api = RECIPE_APIS[name]
    happenings = history(api, datetime.now(UTC).replace(microsecond=0))
    with FakeApi(api.handler(Tenant(happenings, key=secret_of(name)))) as server:
        account, connector = moved(name, server.url)
        live = outcome({"module_configuration": account, "connector_configuration": connector})
        asked = len(server.asked)
    recording = json.loads(json.dumps(live["recording"]))
    replayed = outcome(recording["configuration"], recording=recording)

    assert set(verdicts(live["report"]).values()) == {"pass"}
    assert live["report"]["not_checked"] == []
    assert asked == len(live["report"]["requests"]) <= 8
    assert len(live["report"]["events"]) == 3
    assert replayed["report"] == live["report"]
    assert secret_of(name) not in json.dumps(live)


@EVERY_RECIPE
def test_the_preview_of_a_recipe_with_a_wrong_key_is_a_matter_of_the_credentials(name: str) -> None:
    with FakeApi(RECIPE_APIS[name].handler(Tenant([], key="another secret"))) as server:
        account, connector = moved(name, server.url)
        report = outcome({"module_configuration": account, "connector_configuration": connector})["report"]

    found = next(finding for finding in report["findings"] if finding["topic"] == "Authentication")
    assert (found["verdict"], found["settings"][0]) == ("fail", "api_key")
    assert report["verdict"] == "fail"


def test_the_command_prints_a_report_and_leaves_nothing_behind(api: FakeApi, tmp_path: Path) -> None:
    path = written(tmp_path, configured(api))

    with started(tmp_path, "--config", "mine.json") as running:
        output, errors = running.communicate()

    assert (running.returncode, errors) == (0, "")
    assert "Requests sent: 4 of at most 8" in output
    assert "pass  Records" in output
    assert "4 pages, 9 records; it ended because page 4 is empty" in output
    assert '{"id": 3, "asked": "Bearer ***", "source": "testhttp"}' in output
    assert "Nothing was delivered or remembered." in output
    assert list(tmp_path.iterdir()) == [path]
    assert {asked.method for asked in api.asked} == {"GET"}


def test_a_failing_preview_names_the_setting_and_its_likeliest_value(api: FakeApi, tmp_path: Path) -> None:
    done = preview("--config", written(tmp_path, configured(api, records_path="data")))

    assert done.exit_code == 1
    assert "fail  Records" in done.stdout
    assert "→ records_path: items  (3 objects with id, asked)" in done.stdout


def test_a_recording_is_replayed_without_network_and_credentials(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    with FakeApi(paged) as api:
        path = written(tmp_path, configured(api))
        live = preview("--config", path, "--record", saved, "--json")
    path.unlink()
    replayed = preview("--replay", saved, "--json")

    assert (live.exit_code, replayed.exit_code) == (0, 0)
    assert f"Recorded to {saved}" in live.stderr
    assert json.loads(replayed.stdout) == json.loads(live.stdout)
    assert KEY not in live.stdout + live.stderr + saved.read_text()
    assert saved.stat().st_mode & 0o077 == 0


def test_a_recording_tries_another_configuration(api: FakeApi) -> None:
    wrong = configured(api, records_path="data", pagination="none")
    recording = outcome(wrong)["recording"]

    right = outcome(configured(api, pagination="none"), recording=recording)["report"]
    further = outcome(configured(api), recording=recording)["report"]

    assert right["verdict"] == "pass"
    failed = next(finding for finding in further["findings"] if finding["verdict"] == "fail")
    assert failed["settings"] == ["replay"]
    assert "is not in the recording" in failed["text"]


def test_nothing_is_overwritten_and_nothing_sent_when_the_recording_exists(api: FakeApi, tmp_path: Path) -> None:
    path = written(tmp_path, configured(api))

    done = preview("--config", path, "--record", path)

    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert api.asked == []


@pytest.mark.parametrize(
    ("configuration", "sentence"),
    [
        ({"connector_configuration": {"url": "https://a.example.com"}}, "api_key: is required"),
        ({"connector_configuration": {"id_pth": "x"}, "module_configuration": {"api_key": "k"}}, "id_pth"),
        (
            {"connector_configuration": {"pagination": "cursor"}, "module_configuration": {"api_key": "k"}},
            "next_path: is needed by pagination 'cursor'",
        ),
        ({"arguments": {}}, "is for the action"),
        ({"connector_configuration": {"url": "{relay}/x"}}, "only `relay run` fills in"),
        ({"connector_configuration": {}, "trigger_configuration": {}}, "leave one of them"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, configuration: Any, sentence: str
) -> None:
    done = preview("--config", written(tmp_path, configuration))

    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_files_of_a_preview_are_named_when_they_are_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")

    assert "broken.json is not valid JSON" in preview("--config", broken).stderr
    assert "broken.json is not a recording" in preview("--replay", broken).stderr
    assert "--config" in preview().stderr
    assert preview("--replay", "a", "--record", "b").exit_code == 2


def test_the_first_stream_is_looked_at_and_the_others_are_named() -> None:
    name = "1password_events"
    api = RECIPE_APIS[name]
    happenings = history(api, datetime.now(UTC).replace(microsecond=0))
    with FakeApi(api.handler(Tenant(happenings, key=secret_of(name)))) as server:
        account, connector = moved(name, server.url)
        given = {"module_configuration": account, "connector_configuration": connector}
        first, named = outcome(given)["report"], outcome(given, stream="auditevents")["report"]

    assert (first["stream"], first["other_streams"]) == ("signinattempts", ["itemusages", "auditevents"])
    assert (named["stream"], named["other_streams"]) == ("auditevents", ["signinattempts", "itemusages"])
    with pytest.raises(SettingsError, match="there are signinattempts, itemusages, auditevents"):
        outcome(given, stream="another")


def test_the_entries_of_a_trigger_are_shown_as_a_playbook_gets_them(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[{"id": 1, "value": "a", "timestamp": 5, "more": "x"}])
    given = configured(api)
    trigger = {"module_configuration": given["module_configuration"], "trigger_configuration": {"url": api.url}}

    report = outcome(trigger)["report"]
    api.handler = lambda _: Answer(json=[{"id": 1}])
    wrong = outcome(trigger)["report"]

    assert (report["component"], report["events"]) == ("NewEntriesTrigger", [{"id": 1, "value": "a", "timestamp": 5}])
    assert "authorization" not in api.asked[0].headers
    assert verdicts(report)["Events"] == "pass"
    assert verdicts(wrong)["Events"] == "fail"


def test_a_slow_answer_is_told_while_it_is_waited_for(api: FakeApi, tmp_path: Path) -> None:
    release = threading.Event()
    api.handler = lambda _: Answer(json={"items": []}, wait=release)
    written(tmp_path, configured(api))
    with started(tmp_path, "--config", "mine.json") as running:
        assert running.stderr is not None
        assert "page 1: waiting for 127.0.0.1" in running.stderr.readline()
        release.set()
        running.communicate()

    assert running.returncode == 0


def test_an_interrupted_preview_ends_at_once(api: FakeApi, tmp_path: Path) -> None:
    never = threading.Event()
    api.handler = lambda _: Answer(json=[], wait=never)
    written(tmp_path, configured(api))
    with started(tmp_path, "--config", "mine.json", "--record", "saved.json") as running:
        eventually(lambda: api.asked, "the request arrives")
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=20)

    assert (running.returncode, output) == (130, "")
    assert not (tmp_path / "saved.json").exists()


def test_make_runs_the_preview_and_asks_for_a_file(tmp_path: Path) -> None:
    def dry(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "--no-print-directory", "--dry-run", "preview", *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert f'-m relay preview --config "{tmp_path}/mine.json"' in dry(f"CONFIG={tmp_path}/mine.json").stdout


def test_every_recipe_file_can_be_previewed_as_it_is() -> None:
    """Only the placeholders are missing; nothing is sent, since the recipes' hosts are not reached here."""
    for path in sorted(RECIPES.glob("*.json")):
        given = read_run_file(path).model_dump(exclude_none=True)
        empty = {"recording": "", "recorded_at": "2026-01-01T00:00:00+00:00", "exchanges": []}

        report = outcome(given, recording=empty)["report"]

        assert [finding["settings"] for finding in report["findings"]] == [["replay"]]
