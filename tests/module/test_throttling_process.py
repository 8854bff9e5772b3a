"""Being told to wait is a state that outlives a restart, and not an error."""

from tests.fake_api import Answer, FakeApi
from tests.played_platform import Platform, eventually


def waits(platform: Platform) -> list[str]:
    return [line for line in platform.logs() if "asked not to be asked before" in line]


def test_a_long_wait_survives_a_restart(platform: Platform) -> None:
    answer = Answer(status=429, headers={"Retry-After": "3600"})
    with FakeApi(lambda _: answer) as api:
        first = platform.start("TesthttpConnector", {"url": api.url, "polling_interval": 0.02})
        eventually(lambda: len(waits(platform)) == 1, "the wait is told")
        first.stop()
        assert len(api.asked) == 1
        platform.start("TesthttpConnector", {"url": api.url, "polling_interval": 0.02})
        eventually(lambda: len(waits(platform)) == 2, "the wait is told again")

    assert len(api.asked) == 1
    assert platform.logs("error") == []
