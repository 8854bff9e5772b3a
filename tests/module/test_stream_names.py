"""What streams are called in logs, metrics and previews: told apart, and without secrets."""

from typing import Any

import pytest

from testhttp_modules.translation import stream_names


@pytest.mark.parametrize(
    ("streams", "names"),
    [
        ([], []),
        ([{}], [""]),
        ([{"name": "logins", "kind": 1}, {"name": "alerts", "kind": 1}], ["logins", "alerts"]),
        ([{"kind": 1}, {"kind": 2}], ["1", "2"]),
        ([{"region": "eu", "kind": 1}, {"region": "eu", "kind": 2}], ["eu/1", "eu/2"]),
        ([{"region": "eu", "n": 1}, {"region": "eu", "n": 2}, {"region": "us", "n": 1}], ["eu/1", "eu/2", "us/1"]),
        ([{"a": "x", "b": "y"}, {"a": "x/y"}], ["x", "x/y"]),
        ([{"a": "x", "b": "y"}, {"b": "y", "a": "x/y"}, {"a": "x"}], ["x/y", "y/x/y", "x"]),
    ],
)
def test_a_stream_is_called_by_what_tells_it_from_the_others(streams: list[dict[str, Any]], names: list[str]) -> None:
    assert stream_names(streams) == names


@pytest.mark.parametrize(
    ("streams", "names"),
    [
        ([{"token": "s3cret", "name": "eu"}], ["eu"]),
        ([{"token": "s3cret", "name": "eu"}, {"token": "s3cret2", "name": "us"}], ["eu", "us"]),
        ([{"api_key": "s3cret"}, {"api_key": "s3cret2"}], ["stream 1", "stream 2"]),
        ([{"name": "eu", "password": "s3cret"}, {"name": "eu", "password": "s3cret2"}], ["eu 1", "eu 2"]),
    ],
)
def test_no_stream_is_called_by_a_secret(streams: list[dict[str, Any]], names: list[str]) -> None:
    assert stream_names(streams) == names


@pytest.mark.parametrize(
    "streams",
    [
        [{"a": "x", "b": "y"}, {"a": "x/y", "b": ""}, {"a": "x/y"}],
        [{"a": 1}, {"a": "1"}],
        [{"token": "s3cret", "name": "eu"}, {"token": "s3cret2", "name": "eu"}, {"name": "eu 1"}],
    ],
)
def test_no_two_streams_have_the_same_name(streams: list[dict[str, Any]]) -> None:
    assert len(set(stream_names(streams))) == len(streams)
