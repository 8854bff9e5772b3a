"""Applies the rules of the architecture to all files, and shows that each rule can fail."""

from pathlib import Path

import pytest

from tests import architecture_rules as rules

ROOT = Path(__file__).resolve().parent.parent

BROKEN = [
    (rules.imports_point_one_way, "httpkit/client.py", "import relay.store"),
    (rules.imports_point_one_way, "httpkit/client.py", "from testhttp_modules import models"),
    (rules.imports_point_one_way, "relay/server.py", "from testhttp_modules.models import TriggerConfiguration"),
    (rules.imports_point_one_way, "testhttp_modules/connector.py", "def run():\n    import relay"),
    (rules.imports_point_one_way, "main.py", "import httpkit"),
    (rules.adapters_stand_alone, "relay/xdr/routes.py", "from relay.sekoia import wire"),
    (rules.adapters_stand_alone, "relay/web/routes.py", "from relay import sample"),
    (rules.the_core_knows_no_framework, "httpkit/source.py", "from sekoia_automation.module import Module"),
    (rules.the_core_knows_no_framework, "httpkit/source.py", "import fastapi"),
    (rules.one_place_opens_sockets, "httpkit/intake.py", "import requests"),
    (rules.one_place_opens_sockets, "httpkit/auth.py", "from urllib3.util import parse_url"),
    (rules.one_place_opens_sockets, "httpkit/auth.py", "import http.client"),
    (rules.one_place_writes_files, "httpkit/intake.py", "path.write_text('x')"),
    (rules.one_place_writes_files, "httpkit/intake.py", "open('x', mode='wb')"),
    (rules.one_place_writes_files, "httpkit/intake.py", "path.open('a')"),
    (rules.one_place_writes_files, "httpkit/intake.py", "import os\nos.replace('a', 'b')"),
    (rules.one_place_writes_files, "httpkit/intake.py", "from tempfile import mkstemp"),
    (rules.nothing_sleeps, "relay/demo.py", "import time\ntime.sleep(1)"),
    (rules.nothing_sleeps, "httpkit/client.py", "import time\nwait = time.sleep"),
    (rules.nothing_sleeps, "testhttp_modules/polling.py", "from time import sleep"),
    (rules.annotations_are_evaluated, "testhttp_modules/models.py", "from __future__ import annotations"),
    (rules.packages_open_with_nothing, "relay/sekoia/__init__.py", '"""Text."""\nfrom relay import store'),
    (rules.imports_do_no_work, "relay/server.py", "connect()"),
    (rules.the_root_holds_only_the_entry_point, "setup.py", ""),
    (rules.modules_say_what_they_hold, "httpkit/client.py", "x = 1"),
    (rules.files_are_short, "httpkit/client.py", "x = 1\n" * 401),
    (rules.functions_are_short, "httpkit/client.py", "def send():\n" + "    x = 1\n" * 50),
    (rules.names_say_something, "httpkit/utils.py", ""),
    (rules.names_say_something, "relay/common/routes.py", ""),
    (rules.names_say_something, "relay/process_events.py", ""),
]

SOUND = [
    ("httpkit/transport.py", '"""Sends."""\nimport requests\n'),
    ("httpkit/connections.py", '"""Resolves."""\nimport socket\n'),
    ("httpkit/memory.py", '"""Remembers."""\nimport os\n\nmove = os.replace\n'),
    ("httpkit/intake.py", '"""Reads."""\nfrom http import HTTPStatus\n\ntext = open("x").read()\n'),
    ("relay/server.py", '"""Wires."""\nfrom relay.sekoia import routes\nfrom relay.xdr import routes as xdr\n'),
    ("relay/xdr/routes.py", '"""Answers."""\nfrom relay.store import Store\nfrom relay.xdr import wire\n'),
    ("relay/xdr/__init__.py", ""),
    ("tests/test_waiting.py", '"""Waits."""\nimport time\ntime.sleep(1)\n'),
]


@pytest.fixture(scope="module")
def sources() -> list[rules.Source]:
    """All Python files of the repository."""
    return rules.sources(ROOT)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: rules.Rule, sources: list[rules.Source]) -> None:
    violations = [violation for source in sources for violation in rule(source)]
    assert not violations, "\n" + "\n".join(violations)


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_the_rule_notices_a_violation(rule: rules.Rule, path: str, text: str) -> None:
    violations = list(rule(rules.Source.of(path, text)))
    assert violations
    assert all(violation.startswith(f"{path}:") for violation in violations)


@pytest.mark.parametrize(("path", "text"), SOUND)
def test_sound_code_breaks_no_rule(path: str, text: str) -> None:
    source = rules.Source.of(path, text)
    assert [violation for rule in rules.RULES for violation in rule(source)] == []


def test_each_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(rules.RULES)


def test_the_rules_see_all_packages(sources: list[rules.Source]) -> None:
    assert {"main.py", "httpkit", "testhttp_modules", "relay", "tests"} <= {source.room for source in sources}
