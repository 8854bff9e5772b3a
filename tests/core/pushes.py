"""Pushes to an intake, and intakes that answer them."""

import gzip
import json
from typing import Any
from uuid import uuid4

from httpkit.intake import Intake, Push
from tests.core.clients import local_client
from tests.fake_api import Answer, Asked, Handler

KEY = 'intake key with "quotes" and ž'


def keys_of(count: int) -> list[bytes]:
    """A key of its own for each of some events."""
    return [number.to_bytes(16, "big") for number in range(count)]


def packed(intake: Intake, *texts: str) -> list[Push]:
    """Pushes of some events, each with a key of its own."""
    return list(intake.pushes(texts, keys_of(len(texts))))


def intake_at(url: str, **settings: Any) -> Intake:
    """An intake behind a client with short time limits."""
    return Intake(local_client(), url=url, key=KEY, **settings)


def payload_of(push: Push) -> bytes:
    """The body of a push, before it is compressed."""
    return intake_at("https://intake").payload(push.texts)


def body_of(asked: Asked) -> Any:
    """The JSON that was pushed."""
    compressed = asked.headers.get("content-encoding") == "gzip"
    return json.loads(gzip.decompress(asked.body) if compressed else asked.body)


def acknowledge(asked: Asked) -> Answer:
    """What an intake answers that has taken everything."""
    return Answer(json={"event_ids": [str(uuid4()) for _ in body_of(asked)["jsons"]]})


def refusing_bad_ones(arrived: list[str]) -> Handler:
    """An intake that refuses each push in which there is a bad event, and lists what arrives."""

    def handler(asked: Asked) -> Answer:
        jsons = body_of(asked)["jsons"]
        if any(text.startswith("bad") for text in jsons):
            return Answer(status=400)
        arrived.extend(jsons)
        return acknowledge(asked)

    return handler
