"""What of a request may be shown in a log or an error."""

from urllib.parse import urlsplit, urlunsplit

from httpkit.values import Request


def without_query(url: str) -> str:
    """The URL without user, password, query and fragment, since each of those can hold a secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def named(request: Request) -> str:
    """A request as errors name it: `GET https://api.example.com/v1/events`."""
    return f"{request.method} {without_query(request.url)}"
