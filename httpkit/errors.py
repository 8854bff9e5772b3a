"""The errors of httpkit, told apart by what a person or the caller has to do next.

::

    HttpkitError
    ├── SettingsError         a human must change something
    ├── RefusedError          the server said no; asking the same again is useless
    ├── UnavailableError      no answer, or "not now": the same request may succeed later
    └── UnexpectedShapeError  the answer is not what was configured
        └── WrongFormatError  it is not even in the format; something between us may have answered

A message is one sentence for the person who configured the source: what happened, and what to do about it.
"""


def words_of(error: BaseException) -> str:
    """What happened, in the words of the system and without its number."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class HttpkitError(Exception):
    """Any failure that httpkit reports.

    Its message can be written as UTF-8: an answer may hold half of a character, and a state or a log cannot.
    """

    def __init__(self, message: str) -> None:
        self.message = message.encode("utf-8", "backslashreplace").decode()
        super().__init__(self.message)


class SettingsError(HttpkitError):
    """A setting is missing, wrong or contradicts another one.

    Args:
        field: the name of the setting as the user wrote it.
        problem: what is wrong with its value, and the remedy.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class RefusedError(HttpkitError):
    """The server understood and said no (4xx, except those that mean "later").

    Args:
        status: the HTTP status code of the answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnavailableError(HttpkitError):
    """The other side could not be reached, was too slow, or asked to come back later.

    Args:
        status: the HTTP status code, None when there was no complete answer.
        retry_after: seconds to wait before asking again, None when the server did not say.
        reached: did a connection stand, so that the trouble may lie in what was asked for?
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        reached: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.reached = reached


class UnexpectedShapeError(HttpkitError):
    """The answer came, but it is not what the settings describe."""


class WrongFormatError(UnexpectedShapeError):
    """The answer cannot be read at all, so that it says nothing about what was asked for."""
