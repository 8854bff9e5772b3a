"""The API of the recipes of docs/request.md: it checks what it is asked, and answers as the document says."""

from collections.abc import Callable
from email import message_from_bytes
from urllib.parse import parse_qs, urlsplit

from tests.fake_api import Answer, Asked

KEY = "k-1234567"
WRONG = Answer(status=422, body=b"not what the recipe promises")


class RecipeApi:
    """All servers of the recipes in one, with a memory of what came before."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Callable[[Asked], Answer]] = {
            ("POST", "/v1/incidents"): self._incident,
            ("POST", "/graphql"): self._graphql,
            ("POST", "/login"): self._login,
            ("GET", "/me"): lambda asked: _if(_bearer(asked, "session-4711"), {"name": "analyst"}),
            ("POST", "/oauth/token"): self._token,
            ("GET", "/alerts"): lambda asked: _if(_bearer(asked, "oauth-token"), [{"id": "a1"}, {"id": "a2"}]),
            ("GET", "/quota"): lambda asked: _if(asked.headers.get("x-api-key") == KEY, {"left": 99}),
            ("GET", "/files/report.pdf"): self._report,
            ("HEAD", "/files/missing.pdf"): lambda _: Answer(status=404, body=b""),
            ("GET", "/hosts"): self._hosts,
            ("POST", "/tickets"): self._ticket,
            ("POST", "/soap"): self._soap,
            ("POST", "/upload"): self._upload,
        }
        self._tickets: list[Asked] = []

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request; an unknown one is wrong."""
        route = self._routes.get((asked.method, asked.path))
        return route(asked) if route else WRONG

    def _incident(self, asked: Asked) -> Answer:
        wanted = {"title": "Suspicious login", "severity": 3, "tags": ["vpn"]}
        return _if(_bearer(asked) and asked.json == wanted, {"id": 42, "state": "open"}, status=201)

    def _graphql(self, asked: Asked) -> Answer:
        query = asked.json["query"] == "query Host($id: ID!) { host(id: $id) { name } }"
        return _if(
            _bearer(asked) and query, {"data": {"host": {"name": f"web-{int(asked.json['variables']['id']) - 6}"}}}
        )

    def _login(self, asked: Asked) -> Answer:
        fields = parse_qs(asked.body.decode())
        right = fields == {"user": ["analyst"], "password": ["p w/d"]}
        return _if(right and "authorization" not in asked.headers, {"session": {"token": "session-4711"}})

    def _token(self, asked: Asked) -> Answer:
        wanted = {
            "grant_type": ["client_credentials"],
            "client_id": ["client-1"],
            "client_secret": ["client-secret"],
            "scope": ["alerts.read"],
        }
        return _if(parse_qs(asked.body.decode()) == wanted, {"access_token": "oauth-token", "expires_in": 60})

    def _report(self, asked: Asked) -> Answer:
        headers = {"Content-Type": "application/pdf", "Content-Disposition": 'attachment; filename="../../report.pdf"'}
        return Answer(body=b"%PDF-1.7\n\0", headers=headers) if _bearer(asked) else WRONG

    def _hosts(self, asked: Asked) -> Answer:
        right = parse_qs(urlsplit(asked.target).query) == {"name": ["web-1", "web-2"], "limit": ["10"]}
        return _if(right, {"items": [{"name": "web-2", "id": "h-3"}, {"name": "web-1", "id": "h-17"}]})

    def _ticket(self, asked: Asked) -> Answer:
        self._tickets.append(asked)
        if len(self._tickets) == 1:
            return Answer(status=503, headers={"Retry-After": "0"})
        keys = {ticket.headers.get("idempotency-key") for ticket in self._tickets}
        return _if(keys == {"alert-2f1a"} and asked.body == self._tickets[0].body, {"ticket": "T-9"}, status=201)

    def _soap(self, asked: Asked) -> Answer:
        right = asked.headers["soapaction"] == '"Ping"' and "<Ping>é</Ping>" in asked.body.decode()
        return Answer(body="<Pong>é</Pong>".encode(), headers={"Content-Type": "text/xml"}) if right else WRONG

    def _upload(self, asked: Asked) -> Answer:
        head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
        files = [part for part in message_from_bytes(head + asked.body).walk() if part.get_filename()]
        return Answer(json={part.get_filename(): _text(part.get_payload(decode=True)) for part in files})


def _bearer(asked: Asked, key: str = KEY) -> bool:
    return asked.headers.get("authorization") == f"Bearer {key}"


def _if(right: bool, content: object, *, status: int = 200) -> Answer:
    return Answer(status=status, json=content) if right else WRONG


def _text(payload: object) -> str:
    return payload.decode() if isinstance(payload, bytes) else ""
