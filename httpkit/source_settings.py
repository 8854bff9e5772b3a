"""What a source reads and how, and what follows from it for the parts of a source."""

from msgspec import Struct, field
from msgspec.structs import replace

from httpkit.conditional import Conditions
from httpkit.details import DetailSettings
from httpkit.errors import SettingsError
from httpkit.events import EventWriter
from httpkit.paging_styles import PagingSettings
from httpkit.preparing import PrepareSettings
from httpkit.records import RecordSettings
from httpkit.request_templates import RequestSettings, RequestTemplates
from httpkit.shaping import ShapingSettings
from httpkit.sifting import SiftSettings
from httpkit.slicing import Slicer, can_slice
from httpkit.templates import Scope
from httpkit.windows import WindowSettings


class SourceSettings(Struct, frozen=True, kw_only=True):
    """What is read, and how; the fields outside the groups are those of the configuration.

    Attributes:
        source: value of the field `source` that is added to each event, "" for none.
        scope: placeholders that never change, such as those of the account and of the stream.
    """

    request: RequestSettings
    paging: PagingSettings = field(default_factory=PagingSettings)
    records: RecordSettings = field(default_factory=RecordSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    shaping: ShapingSettings = field(default_factory=ShapingSettings)
    prepare: PrepareSettings = field(default_factory=PrepareSettings)
    detail: DetailSettings = field(default_factory=DetailSettings)
    id_path: str = "id"
    deduplicate: bool = True
    timestamp_path: str = ""
    timestamp_format: str = "auto"
    resume: str = "time"
    resume_path: str = ""
    max_pages: int = 1000
    source: str = ""
    scope: Scope = field(default_factory=dict)


def sift_settings(settings: SourceSettings) -> SiftSettings:
    """How its records are told apart."""
    return SiftSettings(
        id_path=settings.id_path,
        deduplicate=settings.deduplicate,
        timestamp_path=settings.timestamp_path,
        timestamp_format=settings.timestamp_format,
        only_in_window=settings.windows.only_in_window,
    )


def slicer_for(settings: SourceSettings, writer: EventWriter) -> Slicer | None:
    """What cuts the records out of their pages; None when they have to be decoded anyway."""
    records, paging = settings.records, settings.paging
    in_answer = (
        records.required_path,
        paging.next_path,
        paging.has_more_path,
        paging.total_path,
        settings.resume_path,
    )
    in_record = (settings.id_path, settings.timestamp_path)
    decodes = (
        settings.shaping.reshapes or settings.detail.detail_url or records.response_format not in {"auto", "json"}
    )
    if decodes or not can_slice(
        record_paths=records.records_path, in_record=in_record, in_answer=in_answer, added=writer.added
    ):
        return None
    return Slicer(
        records_path="".join(records.records_path),
        id_path=settings.id_path,
        timestamp_path=settings.timestamp_path,
        added=writer.added,
        in_answer=in_answer,
    )


def conditions_of(settings: SourceSettings, templates: RequestTemplates) -> Conditions:
    """Conditions where one answer is all there is, and depends on nothing but the settings and what the server has."""
    if (
        settings.request.method != "get"
        or settings.paging.pagination != "none"
        or settings.prepare.prepare_url
        or settings.resume == "token"
        or settings.windows.only_in_window
        or templates.asks_for_time
        or not settings.deduplicate
    ):
        return Conditions()
    # The values of the placeholders, which may be secrets, are not part of it.
    return Conditions(repr(replace(settings, scope={})))


def check_tags(settings: SourceSettings) -> None:
    """Check that there are as many tags as paths that they belong to.

    Raises:
        SettingsError: there are not.
    """
    tags, paths = settings.shaping.tags, settings.records.records_path
    if len(tags) > 1 and len(tags) != len(paths):
        raise SettingsError(
            "tags", f"are {len(tags)} objects for {len(paths)} records_path; give one object, or one per path"
        )
