"""The address of a request as it goes over the wire: our way to it gives what the library would give."""

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from httpkit.encoding import query_pairs, with_final_url
from httpkit.errors import SettingsError
from httpkit.values import JsonValue, Request

BASES = [
    *(
        "http://a.example/x",
        "http://a.example",
        "http://a.example/x?y=1",
        "http://a.example/?",
        "http://a.example/x?y&",
    ),
    *("http://a.example/x#part", "http://a.example/\u00e9?\u00fc=~%7e+%20", "http://b\u00fccher.example/?q=[a]"),
]
_values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=3)


@given(st.sampled_from(BASES), st.dictionaries(st.text(max_size=8), _values, max_size=4))
def test_parameters_are_joined_as_the_library_joins_them(url: str, params: dict[str, JsonValue]) -> None:
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, query_pairs(params))

    final = with_final_url(Request(method="GET", url=url, params=params))

    assert final.url == prepared.url
    assert not final.params
    assert with_final_url(final) == final


_pieces = st.sampled_from("abzAZ059._~&=+-%/?#[]' \u00e9") | st.integers(0, 255).map(lambda code: f"%{code:02X}")


@given(st.lists(_pieces, max_size=8).map("".join))
def test_a_query_is_left_as_the_library_leaves_it(query: str) -> None:
    url = f"http://a.example/x?{query}"
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, {})

    assert with_final_url(Request(method="GET", url=url)).url == prepared.url


def test_half_of_a_character_in_a_parameter_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="url"):
        with_final_url(Request(method="GET", url="http://a.example/", params={"q": "\ud83d"}))
