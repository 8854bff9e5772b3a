"""The sample's records: a pure function of a seed and the clock, so memory is flat and pages never shift."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORD_INTERVAL = timedelta(milliseconds=500)
RECORDS_AT_START = 120
ENTRY_INTERVAL = timedelta(seconds=5)
ENTRIES_SHOWN = 20

PEOPLE = ("alice.martin", "bob.tanaka", "chloe.dubois", "david.okafor", "emma.rossi", "farid.haddad", "grace.novak")
DOCUMENTATION_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
BROWSERS = ("Firefox 133 on Linux", "Chrome 131 on Windows", "Safari 18 on macOS", "Edge 131 on Windows")


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """Something that users do: its name, how often it succeeds, and what it may be done to."""

    name: str
    success_rate: float
    targets: tuple[str, ...]


DEEDS = (
    Deed(name="user.login", success_rate=0.85, targets=("web console", "vpn", "command line")),
    Deed(name="user.logout", success_rate=1.0, targets=("web console", "vpn")),
    Deed(name="mfa.challenge", success_rate=0.9, targets=("authenticator app", "security key", "text message")),
    Deed(name="mfa.enrolled", success_rate=0.97, targets=("authenticator app", "security key")),
    Deed(
        name="policy.changed", success_rate=0.95, targets=("password length", "session lifetime", "allowed networks")
    ),
    Deed(name="file.downloaded", success_rate=0.98, targets=("payroll-2026-10.xlsx", "backup.tar.gz", "roadmap.pdf")),
    Deed(name="api_key.created", success_rate=0.99, targets=("ci pipeline", "reporting", "backup job")),
    Deed(name="api_key.revoked", success_rate=1.0, targets=("ci pipeline", "old laptop")),
    Deed(name="role.granted", success_rate=0.93, targets=("administrator", "auditor", "billing")),
)
# People log in more often than they change policies.
DEED_WEIGHTS = (30, 18, 20, 2, 2, 16, 3, 2, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who did something."""

    email: str
    ip: str
    client: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRecord:
    """One line of the audit log; `time` is ISO 8601 in UTC with milliseconds, so that it sorts as text."""

    id: str
    time: str
    action: str
    outcome: str
    target: str
    actor: Actor


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One element of the short list that the trigger watches; `timestamp` is in epoch seconds."""

    id: int
    value: str
    timestamp: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLog:
    """An append-only log that held 120 records when it `started` and gains two per second.

    A record has a number, counted from 1970, so it keeps its id and content across restarts. Positions are numbers
    too: `first` is the oldest record's, `end(now)` is one past the newest's.
    """

    seed: str
    started: datetime

    @property
    def first(self) -> int:
        """The number of the oldest record."""
        return (self.started - EPOCH) // RECORD_INTERVAL - RECORDS_AT_START + 1

    def end(self, now: datetime) -> int:
        """Give the number that the next record after `now` will get."""
        return max((now - EPOCH) // RECORD_INTERVAL, self.first + RECORDS_AT_START - 1) + 1

    def number_at(self, moment: datetime) -> int:
        """Give the number of the first record at or after `moment`."""
        return -((EPOCH - moment) // RECORD_INTERVAL)

    def record(self, number: int) -> AuditRecord:
        """Make the record with this number; always the same one."""
        chance = Random(f"{self.seed}:{number}")
        deed = chance.choices(DEEDS, DEED_WEIGHTS)[0]
        moment = EPOCH + number * RECORD_INTERVAL
        return AuditRecord(
            id=f"log-{number:012d}",
            time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            action=deed.name,
            outcome="success" if chance.random() < deed.success_rate else "failure",
            target=chance.choice(deed.targets),
            actor=Actor(
                email=f"{chance.choice(PEOPLE)}@example.com",
                ip=f"{chance.choice(DOCUMENTATION_NETWORKS)}.{chance.randint(1, 254)}",
                client=chance.choice(BROWSERS),
            ),
        )

    def records(self, start: int, end: int) -> list[AuditRecord]:
        """Make the records numbered `start` up to but not including `end`, oldest first."""
        return [self.record(number) for number in range(start, end)]


def latest_entries(seed: str, now: datetime) -> list[Entry]:
    """Give the 20 newest entries at `now`, newest first; a new one appears every five seconds."""
    newest = (now - EPOCH) // ENTRY_INTERVAL
    return [_entry(seed, number) for number in range(newest, newest - ENTRIES_SHOWN, -1)]


def _entry(seed: str, number: int) -> Entry:
    chance = Random(f"{seed}:entry:{number}")
    address = f"{chance.choice(DOCUMENTATION_NETWORKS)}.{chance.randint(1, 254)}"
    seconds = (number * ENTRY_INTERVAL) // timedelta(seconds=1)
    return Entry(id=number, value=f"suspicious address {address}", timestamp=seconds)
