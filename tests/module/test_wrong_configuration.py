"""What a user reads who has configured something wrongly: one critical line that names the field."""

from typing import Any

import pytest

from tests.played_platform import Platform, eventually

URL = "http://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("component", "settings", "line"),
    [
        (
            "TesthttpConnector",
            {"polling_interval": "soon"},
            "connector_configuration: polling_interval: Input should be a valid number",
        ),
        ("TesthttpConnector", {"polling_interval": 0}, "polling_interval: Input should be greater than 0, not 0"),
        ("TesthttpConnector", {"pages": 3}, "pages: is not a known field; check its spelling or remove it"),
        (
            "TesthttpConnector",
            {"url": "jsonplaceholder"},
            "url: 'jsonplaceholder' must start with https:// or http://",
        ),
        ("TesthttpConnector", {"pagination": "cursor"}, "next_path: is needed by pagination 'cursor'"),
        ("TesthttpConnector", {"records_path": "a["}, "records_path: 'a[' is not a JMESPath expression"),
        ("NewEntriesTrigger", {}, "trigger_configuration: url: is required; add it"),
        ("NewEntriesTrigger", {"url": URL, "id_path": "]"}, "id_path: ']' is not a JMESPath expression"),
        ("NewEntriesTrigger", [1], "trigger_configuration: "),
    ],
)
def test_a_wrong_field_ends_in_one_critical_line(platform: Platform, component: str, settings: Any, line: str) -> None:
    started = platform.start(component, settings)
    critical = eventually(lambda: platform.logs("critical"), "a critical line")

    assert len(critical) == 1
    assert critical[0].startswith("Configuration error: ")
    assert line in critical[0]
    assert not any("Traceback" in text for text in started.output)
    assert started.child.exit_status() is None, "ending would make the platform restart it for ever"
    status, seconds = started.stop()
    assert status == 0
    assert seconds < 2


@pytest.mark.parametrize(
    ("account", "line"),
    [
        ({}, "api_key"),
        ([1], "module_configuration: is not a JSON object"),
        ({"api_key": "x", "colour": "red"}, "colour: is not a known field"),
    ],
)
def test_a_wrong_account_ends_in_one_critical_line(platform: Platform, account: Any, line: str) -> None:
    platform.start("NewEntriesTrigger", {"url": URL}, account=account)
    critical = eventually(lambda: platform.logs("critical"), "a critical line")

    assert critical[0].startswith("Configuration error: module_configuration: ")
    assert line in critical[0]


def test_a_configuration_that_is_not_json_ends_in_one_critical_line(platform: Platform) -> None:
    platform.start("NewEntriesTrigger", {}, TRIGGER_CONFIGURATION="{url: oops")

    critical = eventually(lambda: platform.logs("critical"), "a critical line")
    assert critical[0].startswith("Configuration error: trigger_configuration: is not valid JSON")


def test_a_missing_configuration_ends_in_one_critical_line(platform: Platform) -> None:
    platform.start("TesthttpConnector", {}, CONNECTOR_CONFIGURATION="")

    critical = eventually(lambda: platform.logs("critical"), "a critical line")
    assert critical[0] == "Configuration error: connector_configuration: is missing"
