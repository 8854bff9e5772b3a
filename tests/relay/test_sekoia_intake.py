"""The rules of Sekoia.io's HTTP intake as the relay plays it, asked over real HTTP."""

import gzip
import json
import random
import socket
import uuid
from typing import Any

import pytest
import requests

from tests.relay.live_relay import INTAKE_KEY, LiveRelay

EVENT_LIMIT = 250_000
PAYLOAD_LIMIT = 10 * 1024 * 1024
KEYED_BY_REQUEST = ["/plain", "/plain/batch", "/jsons"]


def push(relay: LiveRelay, path: str, body: Any = None, **options: Any) -> requests.Response:
    sent = {"json": body} if body is not None else {}
    return relay.call("POST", f"/sekoia/intake{path}", **sent, **options)


def held(relay: LiveRelay) -> list[str]:
    return [event.text for event in reversed(relay.store.latest_events(100))]


def test_a_batch_gives_one_id_per_event_in_order(relay: LiveRelay) -> None:
    answer = push(relay, "/batch", {"intake_key": INTAKE_KEY, "jsons": ["one", '{"n": 2}']})
    assert (answer.status_code, list(answer.json())) == (200, ["event_ids"])
    kept = {event.id: event.text for event in relay.store.latest_events()}
    assert [kept[event_id] for event_id in answer.json()["event_ids"]] == ["one", '{"n": 2}']
    assert all(uuid.UUID(event_id) for event_id in kept)


@pytest.mark.parametrize("path", ["", "/"])
def test_the_bare_address_takes_one_event(relay: LiveRelay, path: str) -> None:
    answer = push(relay, path, {"intake_key": INTAKE_KEY, "json": "one", "@timestamp": "2026-11-22T10:00:00Z"})
    assert list(answer.json()) == ["event_id"]
    assert held(relay) == ["one"]


def test_plain_takes_the_whole_body_as_one_event(relay: LiveRelay) -> None:
    answer = push(relay, "/plain", data="one\nevent é".encode(), headers=relay.key_header)
    assert list(answer.json()) == ["event_id"]
    assert held(relay) == ["one\nevent é"]


def test_plain_batch_takes_one_event_per_line_and_skips_empty_lines(relay: LiveRelay) -> None:
    answer = push(relay, "/plain/batch", data=b"a\r\nb\n\nc\n", headers=relay.key_header)
    assert len(answer.json()["event_ids"]) == 3
    assert held(relay) == ["a", "b", "c"]


def test_a_plain_line_that_is_not_utf8_stays_readable(relay: LiveRelay) -> None:
    assert push(relay, "/plain", data=b"caf\xe9", headers=relay.key_header).status_code == 200
    assert held(relay) == ["caf\\xe9"]


def test_jsons_keeps_each_element_as_it_was_written(relay: LiveRelay) -> None:
    body = b'[ {"b": 1.0,  "a": 1e400} , "text \\u0000", 12345678901234567890123, null ]'
    assert push(relay, "/jsons", data=body, headers=relay.key_header).status_code == 200
    assert held(relay) == ['{"b": 1.0,  "a": 1e400}', "text \x00", "12345678901234567890123", "null"]


def test_jsons_takes_the_list_that_the_path_leads_to(relay: LiveRelay) -> None:
    body = {"other": 1, "a": {"b": ["x", "y"]}}
    assert push(relay, "/jsons?path=$.a.b", body, headers=relay.key_header).status_code == 200
    assert held(relay) == ["x", "y"]


@pytest.mark.parametrize("path", ["$.a.c", "$.a", "$.a.b.c", "a.b", "$..b", "$[0]", ""])
def test_a_path_that_leads_to_no_list_is_refused(relay: LiveRelay, path: str) -> None:
    answer = relay.call(
        "POST",
        "/sekoia/intake/jsons",
        params={"path": path, "intake_key": INTAKE_KEY},
        json={"a": {"b": ["x"]}},
    )
    assert answer.status_code == 422
    assert "error" in answer.json()


def test_an_array_may_feed_several_intakes_at_once(relay: LiveRelay) -> None:
    relay.store.open_intake(name="second", key="another")
    keys = [INTAKE_KEY, "another", INTAKE_KEY]
    answer = push(relay, "/array", [{"intake_key": key, "json": str(n)} for n, key in enumerate(keys)])
    kept = {event.id: (event.intake, event.text) for event in relay.store.latest_events()}
    assert [kept[event_id] for event_id in answer.json()["event_ids"]] == [
        ("demo", "0"),
        ("second", "1"),
        ("demo", "2"),
    ]


def test_an_array_with_one_unknown_key_is_refused_as_a_whole(relay: LiveRelay) -> None:
    answer = push(relay, "/array", [{"intake_key": INTAKE_KEY, "json": "a"}, {"intake_key": "odd", "json": "b"}])
    assert answer.status_code == 401
    assert held(relay) == []


@pytest.mark.parametrize("path", KEYED_BY_REQUEST)
@pytest.mark.parametrize(
    "way",
    [
        {"headers": {"X-SEKOIAIO-INTAKE-KEY": INTAKE_KEY}},
        {"auth": ("anybody", INTAKE_KEY)},
        {"auth": ("", INTAKE_KEY)},
        {"params": {"intake_key": INTAKE_KEY}},
    ],
)
def test_the_key_may_come_as_header_password_or_parameter(relay: LiveRelay, path: str, way: dict[str, Any]) -> None:
    assert push(relay, path, ["x"], **way).status_code == 200


@pytest.mark.parametrize("path", KEYED_BY_REQUEST)
@pytest.mark.parametrize(
    "way",
    [
        {},
        {"headers": {"X-SEKOIAIO-INTAKE-KEY": "wrong"}},
        {"auth": (INTAKE_KEY, "wrong")},
        {"headers": {"Authorization": "Basic ///"}},
        {"headers": {"Authorization": "Basic /w=="}},
        {"params": {"intake_key": "wrong"}},
    ],
)
def test_a_wrong_or_missing_key_is_refused(relay: LiveRelay, path: str, way: dict[str, Any]) -> None:
    answer = push(relay, path, ["x"], **way)
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("intake_key: ")
    assert held(relay) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [("/batch", {"intake_key": "wrong", "jsons": ["x"]}), ("/", {"intake_key": "wrong", "json": "x"})],
)
def test_a_wrong_key_in_the_body_is_refused(relay: LiveRelay, path: str, body: object) -> None:
    assert push(relay, path, body).status_code == 401
    assert held(relay) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/batch", {"jsons": ["x"]}),
        ("/batch", {"intake_key": INTAKE_KEY}),
        ("/batch", {"intake_key": INTAKE_KEY, "jsons": [{"not": "a string"}]}),
        ("/", {"intake_key": INTAKE_KEY, "json": {"not": "a string"}}),
        ("/array", {"intake_key": INTAKE_KEY, "json": "x"}),
        ("/jsons", {"no": "list"}),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused(relay: LiveRelay, path: str, body: object) -> None:
    answer = push(relay, path, body, headers=relay.key_header)
    assert answer.status_code == 422
    assert "expected" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/batch", "/", "/array", "/jsons"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b'["\xff"]', b'["\\ud800"]', b"[NaN]", b"\xef\xbb\xbf[]", b"[" * 200_000, b'[{"a": }]']
)
def test_invalid_json_is_a_bad_request(relay: LiveRelay, path: str, body: bytes) -> None:
    answer = push(relay, path, data=body, headers=relay.key_header)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("body: ")


def test_gzip_bodies_of_several_members_are_read(relay: LiveRelay) -> None:
    body = gzip.compress(b'["a",') + gzip.compress(b'"b"]')
    answer = push(relay, "/jsons", data=body, headers={**relay.key_header, "Content-Encoding": "gzip"})
    assert answer.status_code == 200
    assert held(relay) == ["a", "b"]


@pytest.mark.parametrize(
    "body", [b"", b"not gzip", gzip.compress(b"cut short", mtime=0)[:-6], gzip.compress(b"a", mtime=0) + b"rest"]
)
def test_broken_gzip_is_a_bad_request(relay: LiveRelay, body: bytes) -> None:
    answer = push(relay, "/plain", data=body, headers={**relay.key_header, "Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert held(relay) == []


def test_another_compression_is_refused_by_name(relay: LiveRelay) -> None:
    answer = push(relay, "/plain", data=b"x", headers={**relay.key_header, "Content-Encoding": "br"})
    assert answer.status_code == 415
    assert "gzip" in answer.json()["error"]


def test_an_event_at_the_limit_is_taken_and_one_byte_more_is_not(relay: LiveRelay) -> None:
    fits, over = "é" * (EVENT_LIMIT // 2), "é" * (EVENT_LIMIT // 2) + "x"
    assert push(relay, "/", {"intake_key": INTAKE_KEY, "json": fits}).status_code == 200
    assert push(relay, "/", {"intake_key": INTAKE_KEY, "json": over}).status_code == 413
    assert push(relay, "/plain", data=over.encode(), headers=relay.key_header).status_code == 413
    assert held(relay) == [fits]


def test_an_oversized_event_is_refused_alone(relay: LiveRelay) -> None:
    answer = push(relay, "/batch", {"intake_key": INTAKE_KEY, "jsons": ["a", "x" * (EVENT_LIMIT + 1), "b"]})
    assert answer.status_code == 200
    first, last = answer.json()["event_ids"]
    assert [status["status"] for status in answer.json()["statuses"]] == [200, 413, 200]
    assert [status.get("event_id") for status in answer.json()["statuses"]] == [first, None, last]
    assert held(relay) == ["a", "b"]


def test_a_batch_of_oversized_events_only_is_refused(relay: LiveRelay) -> None:
    answer = push(relay, "/batch", {"intake_key": INTAKE_KEY, "jsons": ["x" * (EVENT_LIMIT + 1)] * 2})
    assert answer.status_code == 413
    assert held(relay) == []


@pytest.mark.parametrize("path", KEYED_BY_REQUEST)
def test_an_oversized_payload_is_refused(relay: LiveRelay, path: str) -> None:
    answer = push(relay, path, data=b"x" * (PAYLOAD_LIMIT + 1), headers=relay.key_header)
    assert answer.status_code == 413
    assert held(relay) == []


def test_the_payload_limit_counts_decoded_bytes(relay: LiveRelay) -> None:
    bomb = gzip.compress(bytes(20 * PAYLOAD_LIMIT))
    answer = push(relay, "/plain", data=bomb, headers={**relay.key_header, "Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "decoded" in answer.json()["error"]


def test_a_payload_just_under_the_limit_is_taken(relay: LiveRelay) -> None:
    line = b"x" * 999 + b"\n"
    body = line * (PAYLOAD_LIMIT // len(line))
    answer = push(
        relay,
        "/plain/batch",
        data=gzip.compress(body, mtime=0),
        headers={**relay.key_header, "Content-Encoding": "gzip"},
    )
    assert len(answer.json()["event_ids"]) == PAYLOAD_LIMIT // len(line)


def test_a_sender_that_leaves_halfway_stores_nothing_and_harms_nobody(relay: LiveRelay) -> None:
    host, port = relay.url.removeprefix("http://").split(":")
    head = f"POST /sekoia/intake/plain HTTP/1.1\r\nHost: {host}\r\nX-SEKOIAIO-INTAKE-KEY: {INTAKE_KEY}\r\n"
    for _ in range(5):
        with socket.create_connection((host, int(port))) as sender:
            sender.sendall(f"{head}Content-Length: 1000\r\n\r\nhalf of it".encode())
    assert push(relay, "/plain", data=b"whole", headers=relay.key_header).status_code == 200
    assert held(relay) == ["whole"]


def test_random_damage_never_makes_the_relay_fail(relay: LiveRelay) -> None:
    chance = random.Random(20261122)
    good = [
        json.dumps({"intake_key": INTAKE_KEY, "jsons": ["a", "b"]}).encode(),
        json.dumps([{"intake_key": INTAKE_KEY, "json": "a"}]).encode(),
        json.dumps({"intake_key": INTAKE_KEY, "json": "a"}).encode(),
    ]
    session = requests.Session()
    for _ in range(300):
        body, headers = damaged(chance, good), dict(relay.key_header)
        if chance.random() < 0.3:
            body, headers["Content-Encoding"] = damaged(chance, [gzip.compress(body, mtime=0)]), "gzip"
        path = chance.choice(["", "/batch", "/array", "/plain", "/plain/batch", "/jsons"])
        answer = session.post(f"{relay.url}/sekoia/intake{path}", data=body, headers=headers, timeout=20)
        assert answer.status_code in (200, 400, 401, 413, 422)
        assert answer.ok or answer.json()["error"]
    session.close()


def damaged(chance: random.Random, originals: list[bytes]) -> bytes:
    body = bytearray(chance.choice(originals))
    for _ in range(chance.randint(0, 3)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(body[: chance.choice([len(body), len(body) // 2])])
