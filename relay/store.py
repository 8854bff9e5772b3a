"""All that the relay holds, over any database that SQLAlchemy speaks; no HTTP and no protocol knowledge lives here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Connection,
    Executable,
    Insert,
    Table,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.types import BigInteger

from relay import tables
from relay.database import open_engine
from relay.errors import UnavailableError
from relay.values import Intake, LogLine, PlaybookRun, Run, Secrets, StoredEvent, StoredLog, Totals

__all__ = ["Intake", "LogLine", "PlaybookRun", "Run", "Store", "StoredEvent", "StoredLog", "Totals", "utc_now"]


def utc_now() -> datetime:
    """Give the present moment, aware and in UTC."""
    return datetime.now(UTC)


class Store:
    """What arrived and who may talk, behind plain methods; safe to use from several threads.

    Tokens and intake keys are kept as SHA-256 only. The secrets of a run stay in this process's memory and are never
    written down: whoever opens the run again after a restart gives them again.

    Every method raises UnavailableError when the database cannot be reached or stays locked.
    """

    def __init__(self, url: str, *, now: Callable[[], datetime] = utc_now, new_id: Callable[[], UUID] = uuid4) -> None:
        """Open the database at the SQLAlchemy `url` and create the tables that are missing."""
        self._engine = open_engine(url)
        self._now = now
        self._new_id = new_id
        self._secrets: dict[int, Secrets] = {}
        with self._transaction() as connection:
            tables.metadata.create_all(connection)

    def close(self) -> None:
        """Close every connection; the store is not used afterwards."""
        self._engine.dispose()

    def open_run(self, *, component: str, token: str, secrets: Secrets) -> int:
        """Allow the bearer of `token` to talk as `component`; the same token gives the same run again."""
        wanted = select(tables.runs.c.id).where(tables.runs.c.token_sha256 == _fingerprint(token))
        row = insert(tables.runs).values(
            token_sha256=_fingerprint(token), component=component, status="opened", opened_at=self._now()
        )
        run_id = self._find_or_insert(wanted, row)
        self._secrets[run_id] = dict(secrets)
        return run_id

    def run_of_token(self, token: str) -> Run | None:
        """Find the run that `token` belongs to."""
        found = self._rows(select(tables.runs).where(tables.runs.c.token_sha256 == _fingerprint(token)))
        return _to_run(found[0]) if found else None

    def secrets_of(self, run_id: int) -> Secrets:
        """Give the module secrets of a run that this process opened; none for any other."""
        return self._secrets.get(run_id, {})

    def open_intake(self, *, name: str, key: str) -> int:
        """Accept events under `key`; the same key gives the same intake again."""
        wanted = select(tables.intakes.c.id).where(tables.intakes.c.key_sha256 == _fingerprint(key))
        return self._find_or_insert(wanted, insert(tables.intakes).values(key_sha256=_fingerprint(key), name=name))

    def intake_of_key(self, key: str) -> Intake | None:
        """Find the intake that `key` opens."""
        query = select(tables.intakes.c.id, tables.intakes.c.name).where(
            tables.intakes.c.key_sha256 == _fingerprint(key)
        )
        found = self._rows(query)
        return Intake(id=found[0].id, name=found[0].name) if found else None

    def add_events(self, intake_id: int, events: Sequence[str]) -> list[str]:
        """Keep all `events` in one transaction and give their new ids (uuid text), in the same order."""
        if not events:
            return []
        event_ids = [str(self._new_id()) for _ in events]
        delivery = insert(tables.deliveries).values(
            intake_id=intake_id,
            received_at=self._now(),
            events=len(events),
            event_bytes=sum(len(text.encode()) for text in events),
        )
        with self._transaction() as connection:
            delivery_id = _inserted_id(connection, delivery)
            rows = [
                {"event_id": event_id, "delivery_id": delivery_id, "text": text}
                for event_id, text in zip(event_ids, events, strict=True)
            ]
            connection.execute(insert(tables.events), rows)
        return event_ids

    def add_logs(self, run_id: int, lines: Sequence[LogLine]) -> None:
        """Keep the log lines of a run, in order."""
        if not lines:
            return
        now = self._now()
        rows = [
            {"run_id": run_id, "date": line.date or now, "level": line.level, "message": line.message}
            for line in lines
        ]
        with self._transaction() as connection:
            connection.execute(insert(tables.log_lines), rows)

    def add_playbook_run(
        self, run_id: int, *, name: str, event: object, request_id: str, directory: str | None
    ) -> bool:
        """Keep a trigger event; False when this run sent `request_id` before, and then nothing is kept."""
        row = insert(tables.playbook_runs).values(
            run_id=run_id, request_id=request_id, received_at=self._now(), name=name, event=event, directory=directory
        )
        try:
            with self._transaction() as connection:
                connection.execute(row)
        except IntegrityError:
            return False
        return True

    def start_run(self, run_id: int) -> None:
        """Note that a run is under way; what an earlier start of it reported is forgotten."""
        changes = {"status": "running", "results": None, "error": None, "logs": None, "finished_at": None}
        with self._transaction() as connection:
            connection.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(changes))

    def finish_run(self, run_id: int, *, results: object, error: str | None, logs: str | None) -> bool:
        """Note how a run ended; False when it had ended before, and then nothing changes."""
        changes = {
            "status": "finished",
            "results": results,
            "error": error,
            "logs": logs,
            "finished_at": self._now(),
        }
        query = update(tables.runs).where(tables.runs.c.id == run_id, tables.runs.c.status != "finished")
        with self._transaction() as connection:
            return connection.execute(query.values(changes)).rowcount == 1

    def totals(self) -> Totals:
        """Count everything held."""
        delivered = select(
            func.coalesce(func.sum(tables.deliveries.c.events), 0),
            func.coalesce(func.sum(tables.deliveries.c.event_bytes), 0),
        )
        finished = select(func.count()).select_from(tables.runs).where(tables.runs.c.status == "finished")
        with self._transaction() as connection:
            events, event_bytes = connection.execute(delivered).one()
            return Totals(
                events=int(events),
                event_bytes=int(event_bytes),
                playbook_runs=_count(connection, tables.playbook_runs),
                log_lines=_count(connection, tables.log_lines),
                actions_finished=connection.execute(finished).scalar_one(),
                runs=_count(connection, tables.runs),
            )

    def latest_events(self, limit: int = 20) -> list[StoredEvent]:
        """Give the newest events, newest first."""
        columns = (tables.events.c.event_id, tables.intakes.c.name, tables.deliveries.c.received_at)
        query = select(*columns, tables.events.c.text).join_from(tables.events, tables.deliveries).join(tables.intakes)
        rows = self._rows(query.order_by(tables.events.c.id.desc()).limit(limit))
        return [
            StoredEvent(id=row.event_id, intake=row.name, received_at=row.received_at, text=row.text) for row in rows
        ]

    def latest_playbook_runs(self, limit: int = 20) -> list[PlaybookRun]:
        """Give the newest playbook runs, newest first."""
        query = select(tables.playbook_runs, tables.runs.c.component).join_from(tables.playbook_runs, tables.runs)
        return [
            PlaybookRun(
                received_at=row.received_at,
                component=row.component,
                name=row.name,
                event=row.event,
                request_id=row.request_id,
                directory=row.directory,
            )
            for row in self._rows(query.order_by(tables.playbook_runs.c.id.desc()).limit(limit))
        ]

    def latest_logs(self, limit: int = 20) -> list[StoredLog]:
        """Give the log lines that arrived last, newest first."""
        query = select(tables.log_lines, tables.runs.c.component).join_from(tables.log_lines, tables.runs)
        return [
            StoredLog(date=row.date, component=row.component, level=row.level, message=row.message)
            for row in self._rows(query.order_by(tables.log_lines.c.id.desc()).limit(limit))
        ]

    def runs(self) -> list[Run]:
        """Give every run, the oldest first."""
        return [_to_run(row) for row in self._rows(select(tables.runs).order_by(tables.runs.c.id))]

    def logs_by_level(self, run_id: int | None = None) -> dict[str, int]:
        """Count log lines by level, of one run or of all."""
        level = tables.log_lines.c.level
        query = select(level, func.count()).group_by(level).order_by(level)
        if run_id is not None:
            query = query.where(tables.log_lines.c.run_id == run_id)
        return {row[0]: row[1] for row in self._rows(query)}

    def event_counts(self, *, since: datetime, bucket_seconds: int) -> list[tuple[datetime, int]]:
        """Count the events received since `since` per bucket, ascending by the bucket's start; empty ones left out."""
        received = type_coerce(tables.deliveries.c.received_at, BigInteger)
        width = bucket_seconds * 1_000_000
        start = (received - received % width).label("start")
        query = select(start, func.sum(tables.deliveries.c.events)).group_by(start).order_by(start)
        rows = self._rows(query.where(tables.deliveries.c.received_at >= since))
        return [(tables.from_microseconds(row[0]), int(row[1])) for row in rows]

    def _rows(self, query: Executable) -> Sequence[Any]:
        with self._transaction() as connection:
            return connection.execute(query).all()

    def _find_or_insert(self, wanted: Executable, row: Insert) -> int:
        if found := self._rows(wanted):
            return int(found[0][0])
        try:
            with self._transaction() as connection:
                return _inserted_id(connection, row)
        except IntegrityError:
            # Another process inserted the same row between the two statements.
            return int(self._rows(wanted)[0][0])

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise UnavailableError("database: it cannot be reached or is locked; try again in a moment") from error


def _fingerprint(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _inserted_id(connection: Connection, row: Insert) -> int:
    key = connection.execute(row).inserted_primary_key
    assert key is not None, "every table here has an integer key"
    return int(key[0])


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _to_run(row: Any) -> Run:
    return Run(
        id=row.id,
        component=row.component,
        status=row.status,
        results=row.results,
        error=row.error,
        logs=row.logs,
        opened_at=row.opened_at,
        finished_at=row.finished_at,
    )
