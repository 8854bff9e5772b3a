"""How a request proves who sends it, and to which origin that proof may go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from httpkit.errors import SettingsError

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Scheme, host and port: the three that must all match before a credential is sent (RFC 6454)."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """The origin of an absolute http or https URL.

    Raises:
        SettingsError: the URL has no host, another scheme, or an impossible port.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError("url", f"{url!r} is not a URL ({error}); write it as https://host/path") from None
    if scheme not in _DEFAULT_PORTS:
        raise SettingsError("url", f"{url!r} must start with https:// or http://")
    if not host:
        raise SettingsError("url", f"{url!r} names no host; write it as https://host/path")
    return Origin(scheme=scheme, host=host.lower(), port=port or _DEFAULT_PORTS[scheme])


@dataclass(frozen=True, kw_only=True, slots=True)
class BearerToken:
    """The token of RFC 6750, sent to one origin only.

    Attributes:
        origin: where the token belongs.
    """

    origin: Origin
    token: str = field(repr=False)

    def headers_for(self, url: str) -> Mapping[str, str]:
        """The headers to add to a request to `url`: none when it is another origin."""
        if not self.token or origin_of(url) != self.origin:
            return {}
        return {"Authorization": f"Bearer {self.token}"}
