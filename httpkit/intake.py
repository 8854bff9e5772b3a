"""Delivery to a Sekoia intake: batches within its limits, each event acknowledged, refused for good, or tried again.

Protocol: `POST <intake>/batch` with `{"intake_key": "…", "jsons": ["<event>", …]}`, answered by one id per event in
`event_ids`; a payload holds at most 10 MiB and an event at most 250 000 bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import compress

from isal import isal_zlib
from msgspec import Struct, field
from msgspec.structs import replace

from httpkit.client import Begun, Client
from httpkit.documents import decode_json, encode_texts
from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.records import check_status
from httpkit.redaction import named
from httpkit.stopping import Threads
from httpkit.text import excerpt
from httpkit.values import JsonValue, Request, Response

EVENT_BYTES = 250_000
_PAYLOAD_BYTES = 10 * 1024 * 1024
_GZIP_LEVEL = 1
_GZIP_BITS = 31
"""As zlib writes gzip: a window of 15 bits, and 16 for its head."""
_ABOUT_EVENTS = frozenset({400, 413, 422})
"""Statuses that may speak of what is in a push; the other refusals speak of the intake or of its address."""

_REFUSALS_TO_DOUBT = 10
"""So many in a row, in whatever pushes, may speak against the intake and not against the events."""

_TRIES_WITHOUT_ID = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


def too_large(text: str) -> bool:
    """Is an event over the limit of the intake, which counts UTF-8 bytes?"""
    # A character takes at most four bytes, so most events need no encoding to be judged.
    return len(text) * 4 > EVENT_BYTES and len(text.encode("utf-8", "surrogatepass")) > EVENT_BYTES


class Push(Struct, frozen=True, kw_only=True):
    """Events that travel in one request.

    Attributes:
        texts: what the intake stores, in order.
        marks: for each event the identity of its record, 16 bytes; None for all but the last event of a record that
            gives several.
        body: gives what is sent; None makes it when it is sent.
        denials: how often none of these events got an id, since others beside them got one.
    """

    texts: Sequence[str]
    marks: Sequence[bytes | None]
    body: Callable[[], bytes] | None = None
    denials: int = 0

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.texts)

    def part(self, start: int, end: int | None) -> "Push":
        """Some of its events, as a push of their own."""
        return Push(texts=self.texts[start:end], marks=self.marks[start:end], denials=self.denials)

    def only(self, chosen: Sequence[bool]) -> "Push":
        """Some of its events, as a push of their own, in the same order."""
        return Push(texts=list(compress(self.texts, chosen)), marks=list(compress(self.marks, chosen)))

    @property
    def keys(self) -> list[bytes]:
        """Of the records that are delivered whole with this push, in order."""
        return [mark for mark in self.marks if mark is not None]


class Refusal(Struct, frozen=True, kw_only=True):
    """An event that the intake will never take.

    Attributes:
        key: identity of its record; None when another event of the same record carries it.
        text: the event.
        reason: why, in words.
    """

    key: bytes | None
    text: str
    reason: str


class Delivered(Struct, frozen=True, kw_only=True):
    """Events whose fate is known.

    Attributes:
        count: number of events that the intake has acknowledged.
        keys: of the records that need not be delivered again, refused ones included.
    """

    count: int
    keys: Sequence[bytes]
    refusals: Sequence[Refusal] = field(default=())


class _Taken(Struct, frozen=True, kw_only=True):
    """What an intake has acknowledged of a push.

    Attributes:
        delivered: the events that got an id.
        last: one of them.
        rest: those that got none; None when there are no such.
    """

    delivered: Delivered
    last: str
    rest: Push | None = None


Trouble = Callable[[HttpkitError, float], None]
"""Told why a push could not be delivered yet; waits for so many seconds, after which it is tried again."""


class Intake:
    """One intake of Sekoia.io.

    Args:
        client: sends the pushes; the intake key is in the body, so it needs no credentials.
        url: base of the intake, without `/batch`.
        key: the intake key.
        batch_size: most events in one request.
        compress: send with gzip.
        trouble: called before each further try; None waits without a word.
    """

    def __init__(
        self,
        client: Client,
        *,
        url: str,
        key: str,
        batch_size: int = 1000,
        compress: bool = True,
        trouble: Trouble | None = None,
    ) -> None:
        if batch_size < 1:
            raise SettingsError("batch_size", f"{batch_size} is too small; use 1 or more")
        self._client = client
        self._compressing = Threads(client.stop)
        self._url = f"{url.rstrip('/')}/batch"
        self._key = key
        self._batch_size = batch_size
        self._compress = compress
        self._refused_in_a_row = 0
        self._known: str | None = None  # an event that it has taken
        self._trouble = trouble or (lambda error, seconds: client.pause(seconds))

    def pushes(self, texts: Sequence[str], marks: Sequence[bytes | None]) -> Iterator[Push]:
        """Pack events into as few requests as the limits allow, in order; none may be too large.

        Args:
            marks: as in `Push`.
        """
        for start in range(0, len(texts), self._batch_size):
            end = start + self._batch_size
            some, some_marks = texts[start:end], marks[start:end]
            payload = self.payload(some)
            if len(payload) <= _PAYLOAD_BYTES:
                yield Push(texts=some, marks=some_marks, body=self._packed(payload))
            else:
                yield from self._smaller_pushes(Push(texts=some, marks=some_marks))

    def payload(self, texts: Sequence[str]) -> bytes:
        """The body of a push of these events before it is compressed."""
        return encode_texts({"intake_key": self._key, "jsons": texts})

    def begin(self, push: Push) -> Begun:
        """Start to send a push, and go on with something else meanwhile; `deliver` takes what it gives."""
        return self._client.begin(lambda: self._request(push))

    def deliver(self, push: Push, begun: Begun | None = None) -> Iterator[Delivered]:
        """Send a push until the fate of each of its events is known; in order, and piece by piece.

        Args:
            begun: its first try, if that is under way already.

        A push that cannot be taken whole is halved until the event that is refused is alone. Events that got no id
        beside others that got one are tried again together, before they are given up. An intake that is away, busy, or
        answers nonsense is tried again for as long as the process runs.

        A key is given when all events of its record are decided, so it may come after those of later records.

        Raises:
            SettingsError: the intake key was refused, or the intake is at another address.
            RefusedError: the intake takes nothing any more, which speaks against itself and not against the events.
            httpkit.stopping.Stopped: the stop event was set.
        """
        waiting, refused, withheld = [push], list[Delivered](), list[bytes]()
        while waiting:
            piece = waiting.pop()
            outcome = self._outcome(piece, begun)
            begun = None
            if isinstance(outcome, _Taken):
                yield from refused
                refused = []
                if outcome.rest:
                    yield _without_keys(outcome.delivered, withheld)
                    yield from self._once_more(outcome.rest, waiting)
                else:
                    yield outcome.delivered
            elif piece.denials and outcome.status < 400:
                # In their order: a key must not come before the refusal of an earlier event of its record.
                refused += self._once_more(piece, waiting)
                if not self._refused_in_a_row:
                    yield from refused
                    refused = []
            elif piece.count > 1:
                half = piece.count // 2
                waiting += [piece.part(half, None), piece.part(0, half)]
            else:
                refused.append(_refusal(piece, outcome))
                self._refused_in_a_row += 1
                if self._refused_in_a_row >= _REFUSALS_TO_DOUBT:
                    yield _without_keys(self._proof_of_life(waiting, outcome), withheld)
                    yield from refused
                    refused = []
        yield from refused
        if withheld:
            yield Delivered(count=0, keys=withheld)

    def _once_more(self, denied: Push, waiting: list[Push]) -> Iterator[Delivered]:
        """Let events wait that got no id where others got one; after some tries they are refused."""
        error, denials = RefusedError("the intake gave no id for the event", status=200), denied.denials + 1
        if denials >= _TRIES_WITHOUT_ID:
            yield from (_refusal(denied.part(place, place + 1), error) for place in range(denied.count))
            return
        self._trouble(error, _pause(error, denials - 1))
        waiting.append(replace(denied, denials=denials, body=None))

    def _proof_of_life(self, waiting: list[Push], doubt: RefusedError) -> Delivered:
        """Whatever the intake takes of what waits; it is taken out of there.

        When it takes nothing of that, it is sent once more what it took last. That event comes twice, which is the
        price of not giving up events that only a broken intake refuses.

        Raises:
            RefusedError: it takes nothing.
        """
        for place, piece in reversed(list(enumerate(waiting))):
            for cut in sorted({0, piece.count - 1}):
                outcome = self._outcome(piece.part(cut, None))
                if isinstance(outcome, _Taken):
                    before = piece.part(0, cut) if cut else None
                    waiting[place : place + 1] = [left for left in (outcome.rest, before) if left]
                    return outcome.delivered
        if self._known is not None:
            again = Push(texts=[self._known], marks=[None])
            if isinstance(self._outcome(again), _Taken):
                return Delivered(count=0, keys=())
        raise doubt

    def _smaller_pushes(self, push: Push) -> Iterator[Push]:
        """Pack events that are too much for one request."""
        room = _PAYLOAD_BYTES - len(self.payload(()))
        start, size = 0, 0
        for place, text in enumerate(push.texts):
            # The limit counts the encoded form, in which quotes and backslashes take two bytes.
            length = len(encode_texts(text)) + 1
            if place > start and size + length - 1 > room:
                yield push.part(start, place)
                start, size = place, 0
            size += length
        yield push.part(start, None)

    def _outcome(self, push: Push, begun: Begun | None = None) -> _Taken | RefusedError:
        """Send until there is an answer that decides; an error stands for "not these events together"."""
        tries, without_id = 0, 0
        while True:
            try:
                outcome = self._answered(push, (begun or self.begin(push))())
                if isinstance(outcome, _Taken):
                    self._refused_in_a_row, self._known = 0, outcome.last
                is_first_denial = push.count == 1 and not push.denials
                if not (isinstance(outcome, RefusedError) and outcome.status < 400 and is_first_denial):
                    return outcome
                without_id += 1
                if without_id >= _TRIES_WITHOUT_ID:
                    return outcome
                trouble: HttpkitError = outcome
            except (UnavailableError, UnexpectedShapeError) as error:
                trouble = error
            begun = None
            pause = _pause(trouble, tries)
            tries += 1
            self._trouble(trouble, pause)

    def _answered(self, push: Push, response: Response) -> _Taken | RefusedError:
        if response.status in {401, 403}:
            raise SettingsError(
                "intake_key", f"the intake refused it ({response.status}); copy it from Sekoia.io again"
            )
        if 300 <= response.status < 400:
            raise SettingsError(
                "intake_server", f"it answers with a redirect ({response.status}); use its final address"
            )
        if response.ok:
            return _acknowledgement(push, response)
        request = Request(method="POST", url=self._url)
        what = f"{named(request)}: {response.status} {response.reason}{excerpt(response, self._client.clean)}"
        if response.status in _ABOUT_EVENTS:
            return RefusedError(what, status=response.status)
        if 400 <= response.status < 500 and response.status not in {408, 425, 429}:
            raise UnavailableError(f"{what}; check intake_server", status=response.status)
        check_status(request, response, self._client.clean)
        raise AssertionError("check_status raises for all that is not a success")

    def _packed(self, payload: bytes) -> Callable[[], bytes]:
        """The body of a push; it is compressed beside whatever else is done, which is a quarter of all work."""
        if not self._compress:
            return lambda: payload
        return self._compressing.begin(lambda: isal_zlib.compress(payload, _GZIP_LEVEL, _GZIP_BITS)).result

    def _request(self, push: Push) -> Request:
        headers = {"Content-Type": "application/json"}
        if self._compress:
            headers["Content-Encoding"] = "gzip"
        return Request(
            method="POST",
            url=self._url,
            headers=headers,
            body=(push.body or self._packed(self.payload(push.texts)))(),
            body_format="raw",
            follow_redirects=False,  # the body holds the intake key, which must not go to another server
        )


def _pause(trouble: HttpkitError, tries: int) -> float:
    """Seconds until the next try."""
    back_off = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(tries, 10))
    told = trouble.retry_after if isinstance(trouble, UnavailableError) else None
    return max(back_off, told or 0.0)


def _refusal(alone: Push, error: RefusedError) -> Delivered:
    (key,), (text,) = alone.marks, alone.texts
    return Delivered(count=0, keys=[key] if key else (), refusals=[Refusal(key=key, text=text, reason=error.message)])


def _without_keys(delivered: Delivered, withheld: list[bytes]) -> Delivered:
    """What was delivered while earlier events wait: a key that is remembered now would lose those of its record."""
    withheld += delivered.keys
    return replace(delivered, keys=())


def _acknowledgement(push: Push, response: Response) -> _Taken | RefusedError:
    """What the answer says of each event; a part that is not acknowledged is told from the others by halving."""
    try:
        answer = decode_json(response.body)
    except ValueError:
        answer = None
    ids = answer.get("event_ids") if isinstance(answer, dict) else None
    if not isinstance(ids, list):
        raise UnexpectedShapeError(
            "the answer to the push is not that of a Sekoia intake (no event_ids); check intake_server"
        )
    taken = [one for one in ids if one is not None]
    if len(taken) >= push.count:
        return _taken(push)
    if taken and len(ids) == push.count:
        return _by_event(push, ids)
    return RefusedError(f"the intake acknowledged {len(taken)} of {push.count} events", status=response.status)


def _by_event(push: Push, ids: Sequence[JsonValue]) -> _Taken:
    """Each event has its place in the answer, which is null where it was not taken."""
    has_id = [one is not None for one in ids]
    return replace(_taken(push.only(has_id)), rest=push.only([not has_own for has_own in has_id]))


def _taken(push: Push) -> _Taken:
    return _Taken(delivered=Delivered(count=push.count, keys=push.keys), last=push.texts[-1])
