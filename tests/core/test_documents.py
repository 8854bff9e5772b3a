"""JSON in and out, with all its digits and characters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.documents import decode_json, encode_json
from httpkit.values import JsonValue

_any_text = st.text(alphabet=st.characters())  # lone surrogates too
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**200), 10**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _any_text
)
documents = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_any_text, inner, max_size=5), max_leaves=20
)


@given(documents)
def test_any_document_comes_back_equal(document: JsonValue) -> None:
    assert decode_json(encode_json(document)) == document


@given(documents)
def test_what_other_encoders_write_is_read(document: JsonValue) -> None:
    assert decode_json(json.dumps(document).encode()) == document


@given(documents)
def test_what_is_written_is_one_line_that_other_decoders_read(document: JsonValue) -> None:
    text = encode_json(document)

    assert b"\n" not in text
    assert json.loads(text) == document


@pytest.mark.parametrize("number", [2**53 + 1, 2**64, -(2**63) - 1, 10**400])
def test_large_integers_keep_every_digit(number: int) -> None:
    assert decode_json(b'{"id": %d}' % number) == {"id": number}
    assert encode_json({"id": number}) == b'{"id":%d}' % number


@pytest.mark.parametrize("digits", ["1e400", "-1e400", "1.5e999"])
def test_a_number_beyond_floats_stays_as_its_text(digits: str) -> None:
    """JSON has no infinity, so it would be sent on as null."""
    assert decode_json(f"[{digits}]".encode()) == [digits]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decode_json(b'\xef\xbb\xbf{"id": 1}') == {"id": 1}


def test_a_lone_surrogate_is_kept_as_an_escape() -> None:
    assert encode_json(decode_json(rb'["\ud83d"]')) == rb'["\ud83d"]'


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '{"a": NaN}'])
def test_what_is_not_a_number_of_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode_json(text.encode())


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": 1', b"[1,]", b"nonsense", b"\xff\xfe", b'"\xff"', b"1 2", b"{'a': 1}"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode_json(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_document_that_is_nested_too_deeply_is_refused(opening: bytes) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json(opening * 100_000)


def test_a_document_of_a_hundred_levels_is_read() -> None:
    decode_json(b"[" * 100 + b"]" * 100)


@given(st.binary())
def test_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but a ValueError comes out of bad bytes."""
    try:
        decode_json(body)
    except ValueError:
        return
