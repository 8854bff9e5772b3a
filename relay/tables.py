"""The relay's tables and their column types; the queries over them are in `store.py`.

Moments are whole microseconds since 1970 in UTC, because every database can group and compare those the same way.
What a component reports is free text, so it is kept in a form that every database accepts (see `PlainText`).
"""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Give the microseconds since 1970 of `moment`; a naive one is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // MICROSECOND


def from_microseconds(count: int) -> datetime:
    """Give the aware UTC datetime `count` microseconds after 1970."""
    return EPOCH + count * MICROSECOND


class Moment(TypeDecorator[datetime]):
    """A point in time."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


class PlainText(TypeDecorator[str]):
    """Text for display: NUL, which PostgreSQL refuses, becomes the visible symbol for it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.replace("\x00", "\N{SYMBOL FOR NULL}")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value


class ExactText(TypeDecorator[str]):
    """Text that must come back unchanged, NUL included: kept as UTF-8 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode()


class Document(TypeDecorator[object]):
    """A JSON value; ASCII JSON text, so that no character in it can be refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:
        return None if value is None else json.loads(value)


# SQLite only numbers rows by itself when the key is spelled INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("token_sha256", Text, nullable=False, unique=True),
    Column("component", PlainText, nullable=False),
    Column("status", Text, nullable=False),
    Column("results", Document),
    Column("error", PlainText),
    Column("logs", PlainText),
    Column("opened_at", Moment, nullable=False),
    Column("finished_at", Moment),
)

intakes = Table(
    "intakes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("key_sha256", Text, nullable=False, unique=True),
    Column("name", PlainText, nullable=False),
)

# One row per delivery keeps the counts cheap: they never have to read the events themselves.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("intake_id", ForeignKey(intakes.c.id), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("events", Integer, nullable=False),
    Column("event_bytes", BigInteger, nullable=False),
    Index("deliveries_by_time", "received_at", "events", "event_bytes"),
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("delivery_id", ForeignKey(deliveries.c.id), nullable=False),
    Column("text", ExactText, nullable=False),
)

playbook_runs = Table(
    "playbook_runs",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("run_id", ForeignKey(runs.c.id), nullable=False),
    Column("request_id", PlainText, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("name", PlainText, nullable=False),
    Column("event", Document),
    Column("directory", PlainText),
    UniqueConstraint("run_id", "request_id"),
)

log_lines = Table(
    "log_lines",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("run_id", ForeignKey(runs.c.id), nullable=False),
    Column("date", Moment, nullable=False),
    Column("level", PlainText, nullable=False),
    Column("message", PlainText, nullable=False),
    Index("log_lines_by_level", "run_id", "level"),
)
