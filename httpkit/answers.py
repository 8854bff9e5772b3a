"""Answers to requests of which an API chose a part: a token, the address of a page, a field of a record."""

from collections.abc import Callable

from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.redaction import named
from httpkit.values import Request, Response


def answer_of(request: Request, answer: Callable[[], Response], *, chosen_by_api: bool) -> Response:
    """Wait for an answer.

    Args:
        answer: as `Client.begin` gives it.
        chosen_by_api: is a part of the request not the user's, so that no setting is wrong when it cannot be sent?

    Raises:
        UnexpectedShapeError: what the API chose cannot be sent.
        HttpkitError: as `Client.send`.
    """
    try:
        return answer()
    except SettingsError as error:
        if not chosen_by_api:
            raise
        raise UnexpectedShapeError(f"{named(request)}: what the API gave for it cannot be sent: {error}") from None
