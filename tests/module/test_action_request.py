"""The action Request: in process with the tutorial's own test, and as the platform runs it."""

from typing import Any, cast

import pytest

from testhttp_modules import TesthttpModule
from testhttp_modules.action_request import Request, RequestArguments, Response
from testhttp_modules.models import TesthttpModuleConfiguration
from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import LOCAL_ACCOUNT, Platform, eventually


def finished(platform: Platform) -> Any:
    """The run of the action once it has reported its end."""
    return eventually(
        lambda: next((run for run in platform.store.runs() if run.status == "finished"), None), "the action ends"
    )


def test_the_tutorials_own_test_passes(requests_mock: Any) -> None:
    requests_mock.get(
        "http://example.com", status_code=200, headers={"Content-Type": "application/json"}, text="Success"
    )

    result = cast(Any, Request().run(RequestArguments(url="http://example.com", headers=None, method="get")))

    response = Response(**result) if isinstance(result, dict) else result
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.text == "Success"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_the_method_and_the_headers_reach_the_server(method: Any) -> None:
    with FakeApi(lambda asked: Answer(json={"method": asked.method, "x": asked.headers["x-test"]})) as api:
        module = TesthttpModule()
        module.configuration = TesthttpModuleConfiguration.model_validate(LOCAL_ACCOUNT)
        arguments = RequestArguments(url=f"{api.url}/a?b=c", headers={"X-Test": "yes"}, method=method)
        result = cast(Any, Request(module).run(arguments))

    assert Response(**result).text == f'{{"method": "{method.upper()}", "x": "yes"}}'
    assert api.asked[0].params == {"b": "c"}


def test_a_playbook_gets_the_answer(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(json={"a": "é"})) as api:
        started = platform.start("Request", {"url": f"{api.url}/x", "method": "get"})
        run = finished(platform)

    assert started.child.wait(hurry=lambda: False) == 0
    assert run.error is None
    assert run.results["status_code"] == 200
    assert run.results["text"] == '{"a": "\\u00e9"}'


def test_an_awkward_answer_reaches_the_playbook(platform: Platform) -> None:
    body = rb'{"deep": ' + b"[" * 80 + b"]" * 80 + rb', "big": 123456789012345678901, "half": "\ud800", "nan": "NaN"}'
    with FakeApi(lambda _: Answer(body=body)) as api:
        platform.start("Request", {"url": api.url, "method": "get", "extract": "to_number(nan)"})
        run = finished(platform)

    assert run.error is None
    assert run.results["text"] == body.decode()
    assert run.results["json"]["big"] == "123456789012345678901"
    assert run.results["json"]["half"] == "?"
    assert run.results["extracted"] == "nan"


def test_an_http_error_fails_the_action_and_still_gives_the_answer(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(status=404, body=b"no such thing")) as api:
        platform.start("Request", {"url": f"{api.url}/x?key=hidden", "method": "get"})
        run = finished(platform)

    assert run.error == f"HTTP Request failed: GET {api.url}/x with 404 Not Found (no such thing)"
    assert run.results["status_code"] == 404


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"method": "get"}, "url: is required; add it"),
        ({"url": "ftp://x/y", "method": "get"}, "url: 'ftp://x/y' must start with https:// or http://"),
    ],
)
def test_a_wrong_argument_is_one_sentence_that_names_it(
    platform: Platform, arguments: dict[str, Any], error: str
) -> None:
    platform.start("Request", arguments)

    assert finished(platform).error.startswith(error)


def test_a_server_that_is_not_there_is_one_sentence_without_the_query(platform: Platform) -> None:
    platform.start("Request", {"url": "http://127.0.0.1:9/x?key=hidden", "method": "get"})

    error = finished(platform).error
    assert error.startswith("GET http://127.0.0.1:9/x: could not connect")
    assert "hidden" not in error
    assert "Traceback" not in error


def test_the_credentials_of_the_account_are_not_sent(platform: Platform) -> None:
    seen: list[Asked] = []

    def record(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer(json=[])

    with FakeApi(record) as api:
        platform.start("Request", {"url": api.url, "method": "get"})
        finished(platform)

    assert "authorization" not in seen[0].headers
    assert seen[0].headers["user-agent"].startswith("sekoiaio-connector/testhttp-")
