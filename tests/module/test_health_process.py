"""What a component tells of its health and in its metrics while something is wrong, and after it."""

import json
import urllib.request
from typing import Any

from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import INTAKE_KEY, Platform, eventually, free_port


def health_at(port: int) -> Any:
    """The answer of the health endpoint."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
        return json.load(answer)


def metrics_at(port: int) -> dict[str, float]:
    """The samples of the metrics endpoint, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def test_an_intake_that_is_away_is_told_once_and_its_events_arrive_once_it_is_back(platform: Platform) -> None:
    is_away = True
    arrived: list[Any] = []

    def intake(asked: Asked) -> Answer:
        if is_away:
            return Answer(status=503)
        body = json.loads(asked.body)
        arrived.extend(body["jsons"])
        return Answer(json={"event_ids": ["id"] * len(body["jsons"])})

    health_port, metrics_port = free_port(), free_port()
    with FakeApi(lambda _: Answer(json={"items": [{"id": 1}, {"id": 2}]})) as api, FakeApi(intake) as away:
        settings = {"url": api.url, "records_path": "items", "compress": False, "polling_interval": 0.01}
        platform.start(
            "TesthttpConnector",
            {**settings, "intake_server": away.url},
            LIVENESS_PORT=str(health_port),
            METRICS_PORT=str(metrics_port),
        )
        eventually(lambda: len(away.asked) >= 2, "the push is tried again")
        degraded = health_at(health_port)
        is_away = False
        eventually(lambda: platform.logs("info")[-1:] and len(arrived) >= 2, "the events arrive")
        eventually(lambda: health_at(health_port)["state"] == "ok", "all is well again")
        eventually(lambda: any("works again" in line for line in platform.logs()), "the end is told")
        samples = metrics_at(metrics_port)

    assert degraded["state"] == "degraded"
    assert [trouble["what"] for trouble in degraded["troubles"]] == ["The intake"]
    assert "503" in degraded["troubles"][0]["reason"]
    assert len(arrived) == 2
    assert len(platform.logs("error")) == 1
    assert samples['testhttp_retries_total{reason="503"}'] >= 1
    assert samples["testhttp_throttle_seconds_total"] >= 1
    assert any(name.startswith("symphony_module_common_forwarded_events_total") for name in samples)
    assert not any(INTAKE_KEY in name for name in samples)


def test_a_source_that_cannot_be_read_is_failing_with_its_reason_and_without_secrets(platform: Platform) -> None:
    health_port = free_port()
    with FakeApi(lambda _: Answer(status=500, json={"error": "no s3cr3t-value"})) as api:
        settings = {"url": api.url, "params": {"api_token": "s3cr3t-value"}, "polling_interval": 0.01}
        platform.start("TesthttpConnector", settings, LIVENESS_PORT=str(health_port))
        eventually(lambda: platform.logs("error"), "the failure is told")
        failing = eventually(lambda: (health := health_at(health_port))["troubles"] and health, "health tells it")
        api.handler = lambda _: Answer(json=[{"id": 1}])
        eventually(platform.events, "the event arrives")
        eventually(lambda: health_at(health_port)["state"] == "ok", "all is well again")

    assert failing["state"] == "failing"
    assert "500" in failing["troubles"][0]["reason"]
    assert "s3cr3t" not in json.dumps(failing)


def test_a_changed_configuration_begins_a_new_memory_and_says_so(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(json={"items": [{"id": 1}]})) as api:
        first = platform.start("TesthttpConnector", {"url": api.url, "records_path": "items"})
        eventually(platform.events, "the event arrives")
        first.stop()
        assert not [line for line in platform.logs("warning") if "begins anew" in line]

        platform.start("TesthttpConnector", {"url": f"{api.url}/other", "records_path": "items"})
        warned = eventually(lambda: platform.logs("warning"), "the new memory is announced")

    assert "begins anew" in warned[0]


def test_records_that_a_setting_leaves_out_are_counted(platform: Platform) -> None:
    records = [{"id": 1, "noise": True}, {"id": 2}, {"id": 3, "noise": True}]
    with FakeApi(lambda _: Answer(json={"items": records})) as api:
        platform.start("TesthttpConnector", {"url": api.url, "records_path": "items", "drop": ["noise"]})
        eventually(platform.events, "the event arrives")
        lines = eventually(lambda: [line for line in platform.logs("info") if "collected" in line], "it is told")

    assert lines[0].startswith("1 events collected, 2 left out by drop or only_in_window")
