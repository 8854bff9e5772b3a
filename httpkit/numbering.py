"""Whole numbers for identities that are none; the same identity always has the same number."""

from httpkit.values import JsonValue

_BITS = 53
"""What every JSON reader takes as a whole number, JavaScript's included."""

_LONGEST_DIGITS = 18


def number_of_key(key: bytes) -> int:
    """The number of a record's key."""
    return int.from_bytes(key[:8]) >> (64 - _BITS)


def number_of_identity(identity: JsonValue, key: bytes) -> int:
    """An identity that is a whole number, or the text of one, as it is; any other has the number of its key."""
    if isinstance(identity, int) and not isinstance(identity, bool) and abs(identity) < 2**63:
        return identity
    if isinstance(identity, str) and len(identity) <= _LONGEST_DIGITS and identity.isdecimal():
        number = int(identity)
        if str(number) == identity:
            return number
    return number_of_key(key)
