"""A proxy before all servers: where it is, who we are for it, and the tunnel that TLS needs (RFC 9110 §9.3.6)."""

from base64 import b64encode
from urllib.parse import unquote, urlsplit

from msgspec import field

from httpkit.destinations import Origin, origin_of
from httpkit.errors import SettingsError
from httpkit.messages import Incoming, host_of, request_head
from httpkit.sockets import PatientSocket, PatientTlsSocket
from httpkit.values import Confidential


class Proxy(Confidential, frozen=True, kw_only=True):
    """A proxy for all requests.

    Attributes:
        headers: what it is told with each request, or with each tunnel.
    """

    origin: Origin
    headers: dict[str, str] = field(default_factory=dict)


def proxy_at(url: str) -> Proxy | None:
    """The proxy of an address, which may hold a user and a password; None for an empty one.

    Raises:
        SettingsError: it is not such an address.
    """
    if not url:
        return None
    try:
        origin = origin_of(url)
        parts = urlsplit(url)
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode("latin-1")
    except UnicodeEncodeError:
        raise SettingsError("proxy", "has a user or a password that is not Latin-1 text; choose another one") from None
    except (SettingsError, ValueError):
        raise SettingsError("proxy", "must start with http:// or https:// and name a host") from None
    if user == b":":
        return Proxy(origin=origin)
    return Proxy(origin=origin, headers={"Proxy-Authorization": f"Basic {b64encode(user).decode()}"})


def ask_for_tunnel(opened: PatientSocket | PatientTlsSocket, proxy: Proxy, origin: Origin) -> None:
    """Have a proxy connect us to a server.

    Raises:
        OSError: it does not.
        DamagedAnswerError: it does not speak HTTP.
    """
    target = host_of(origin, with_port=True)
    opened.sendall(request_head("CONNECT", target, {"Host": target, **proxy.headers}))
    answer = Incoming(opened.recv, "CONNECT")
    if not 200 <= answer.status < 300:
        raise OSError(f"it opens no tunnel: {answer.status} {answer.reason}")
