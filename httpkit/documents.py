"""JSON in and out, without losing digits or characters; what the values mean is not known here."""

import json
import math
from typing import Any, NoReturn

import msgspec
import orjson

JsonValue = Any


def decode_json(body: bytes) -> JsonValue:
    """Decode a JSON document; integers stay exact up to 4300 digits.

    A number with more magnitude than a float can hold stays as its text, since JSON has no infinity to send on.

    Raises:
        ValueError: it is not JSON; the message says where it stops being so.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.DecodeError:
        # The slower parser takes lone surrogates and large exponents, and says in which line the trouble is.
        return _decode_leniently(body)


def encode_json(value: JsonValue) -> bytes:
    """Encode a JSON value on one line; what `decode_json` gave comes back equal."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, but an escape
        return json.dumps(value, separators=(",", ":")).encode()


def encode_texts(value: JsonValue) -> bytes:
    """Encode a value that holds nothing but texts on one line, as `encode_json` does but faster."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or a kind of list that it does not know
        return encode_json(value)


def _decode_leniently(body: bytes) -> JsonValue:
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_float_or_text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _float_or_text(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
