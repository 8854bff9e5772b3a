"""What the sample API takes and answers, one shape per paging style; the records themselves are in `audit_log.py`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from relay.sample.audit_log import AuditRecord

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
LARGEST_NUMBER = 10**12


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the date is out of range") from error


UtcMoment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class LogQuery(BaseModel):
    """The query parameters that all five paging styles share."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT)
    since: UtcMoment | None = None
    until: UtcMoment | None = None


class CursorQuery(LogQuery):
    """Adds where to go on, for the three styles that hand out tokens."""

    cursor: str | None = None


class PageQuery(LogQuery):
    """Adds the page number, the first being 1."""

    page: int = Field(default=1, ge=1, le=LARGEST_NUMBER)


class OffsetQuery(LogQuery):
    """Adds how many records to skip."""

    offset: int = Field(default=0, ge=0, le=LARGEST_NUMBER)


@dataclass(frozen=True, kw_only=True, slots=True)
class NextAnswer:
    """A page with the address of the next one, None on the last."""

    items: list[AuditRecord]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CursorAnswer:
    """A page with the token of the next one, None on the last."""

    data: list[AuditRecord]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PageAnswer:
    """A numbered page; `total` counts records, `pages` counts pages."""

    results: list[AuditRecord]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetAnswer:
    """A slice of the log; `total` counts records."""

    records: list[AuditRecord]
    offset: int
    limit: int
    total: int
