"""What goes on while a component waits for its next poll, or for an intake that is away."""

import threading

from httpkit.client import Client
from httpkit.throttle import RetryPolicy
from testhttp_modules.polling import wait
from tests.core.clients import get, local_settings
from tests.core.polls import in_turn
from tests.fake_api import Answer, FakeApi
from tests.module.watched import Component


def test_requests_under_way_go_on_while_a_component_waits() -> None:
    """Else a page that was asked for ahead would take too long when the intake is away for a while."""
    stop = threading.Event()
    client = Client(local_settings(retry=RetryPolicy(retries=1)), stop=stop, jitter=lambda: 0)
    with FakeApi(in_turn(Answer(status=503), Answer(json=[]))) as api:
        begun = client.begin(get(api.url))

        wait(0.5, Component(), stop)

        assert len(api.asked) == 2
        assert begun().ok
