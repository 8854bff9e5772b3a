"""`relay demo` as a newcomer starts it: three real processes against the sample API."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "relay", "demo"]


def test_all_three_components_deliver_even_on_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(
            [*COMMAND, "--once", "--port", str(port)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Port {port} is taken" in run.stdout
    assert "All three delivered" in run.stdout
    assert re.search(r"Request\s+│ answered 200", run.stdout)
    assert re.search(r"TesthttpConnector\s+│ \d+ events collected", run.stdout)
    assert re.search(r"NewEntriesTrigger\s+│ \d+ playbook runs? started", run.stdout)


def test_the_page_shows_the_growth_until_the_demo_is_stopped() -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        address = next(found[0] for line in process.stdout if (found := re.search(r"http://[\d.:]+/", line)))
        # All output is read here, so that the demonstration never waits for this test.
        assert any("✓ Request" in line for line in process.stdout)
        first = wait_for_events(address, more_than=0)
        wait_for_events(address, more_than=first)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert process.returncode == 0, rest
    assert "All three delivered" in rest


def wait_for_events(address: str, *, more_than: int) -> int:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        totals = requests.get(f"{address}overview", timeout=10).json()["totals"]
        if totals["events"] > more_than and totals["playbook_runs"]:
            return int(totals["events"])
        time.sleep(0.3)
    raise AssertionError(f"not more than {more_than} events arrived")
