"""What the relay refuses, and why; which HTTP status each becomes is decided in `server.py`.

RelayError
├── MalformedError     the body cannot be read (not JSON, broken gzip)
├── UnauthorizedError  the token or intake key is missing or unknown
├── ConflictError      the request comes too late
├── TooLargeError      over a documented size limit
├── UnsupportedError   an encoding the relay does not read
├── WrongShapeError    readable, but a field is wrong
└── UnavailableError   the database does not answer now
"""


class RelayError(Exception):
    """A refusal; its text names the field, what is wrong and the remedy, and holds no secret."""


class MalformedError(RelayError):
    """The body cannot be read at all."""


class UnauthorizedError(RelayError):
    """The token or the intake key is missing or unknown."""


class ConflictError(RelayError):
    """The request contradicts what is already recorded."""


class TooLargeError(RelayError):
    """The payload, or every event in it, is over its limit."""


class UnsupportedError(RelayError):
    """The body comes in an encoding the relay does not read."""


class WrongShapeError(RelayError):
    """The body was read, but a field in it is missing or has the wrong type."""


class UnavailableError(RelayError):
    """The database cannot be reached or stayed locked; the same request may succeed later."""
