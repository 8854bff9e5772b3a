"""What a preview says about finding the records in an answer, and about going from page to page."""

from msgspec.structs import replace

from httpkit.errors import HttpkitError
from httpkit.exchange_findings import said
from httpkit.exchanges import PREPARE
from httpkit.formats import decode
from httpkit.preview_facts import PAGING, RECORDS, Facts, Trouble
from httpkit.preview_report import Finding
from httpkit.record_findings import counted
from httpkit.records import RecordSelector, RecordSettings
from httpkit.suggestions import NextPage, Suggestion, next_pages, record_places
from httpkit.values import JsonValue, Request, Response

_FULL_PAGES = frozenset({10, 20, 25, 30, 50, 100, 200, 250, 500, 1000, 5000, 10_000})
_LIMIT_BYTES = 64 * 1024 * 1024
_PLACES = {
    "link_header": ["pagination"],
    "next_url": ["next_path", "pagination"],
    "cursor": ["next_parameter", "next_path"],
    "page": ["page_parameter", "first_page"],
    "offset": ["offset_parameter", "offset_step"],
}


def records(facts: Facts) -> Finding | None:
    """Are the records where the settings say?"""
    if facts.trouble and facts.trouble.place == RECORDS and not facts.pages:
        return _not_found(facts, facts.trouble)
    if not facts.pages:
        return None
    found, path = facts.records, _path_of(facts)
    place = f"at records_path {path!r}" if path else "in the answer itself (records_path is empty)"
    if not found:
        return _none_there(facts, place)
    if not path and isinstance(facts.pages[0].page.content, dict):
        places = [
            guess for guess in record_places(facts.pages[0].page.content) if not guess.why.startswith("an empty")
        ]
        if places:
            text = "The whole answer is taken as one record, but it holds lists that look like the records."
            return Finding(topic="Records", verdict="warn", text=text, settings=["records_path"], suggestions=places)
    kinds = {type(record) for record in found}
    if dict not in kinds and facts.settings.records.response_format != "text":
        text = f"{counted(found)} {place}, but they are no objects."
        guesses = record_places(facts.pages[0].page.content, path)
        return Finding(topic="Records", verdict="warn", text=text, settings=["records_path"], suggestions=guesses)
    names = ", ".join(list(found[0])[:6]) if isinstance(found[0], dict) else ""
    fields = f", with {names}{', …' * (len(found[0]) > 6)}" if names else ""
    return Finding(topic="Records", verdict="pass", text=f"{counted(found)} {place}{fields}.")


def _not_found(facts: Facts, trouble: Trouble) -> Finding | None:
    """Why the records of an answer were not found; the status and the format are told by other findings."""
    sent = trouble.sent
    if sent is None or sent.response is None or not sent.response.ok:
        return None
    settings = facts.settings.records
    try:
        content = decode(sent.response, settings.response_format, limit=_LIMIT_BYTES)
    except ValueError:
        return None
    text, path = said(trouble.error, sent), _path_of(facts)
    if settings.required_path and _selects(replace(settings, required_path=""), sent.request, sent.response):
        text += " Is it an error behind a good status?"
        return Finding(topic="Records", verdict="fail", text=text, settings=["required_path", "url", "params"])
    guesses = [guess for guess in record_places(content, path) if guess.value != path]
    names = ["records_path"]
    if isinstance(content, dict) and (told := _tells_an_error(content)):
        text += f" It tells of an error: {str(told)[:150]}"
        names = ["api_key", "url", "params", *names]
    return Finding(topic="Records", verdict="fail", text=text, settings=names, suggestions=guesses)


def _selects(settings: RecordSettings, request: Request, response: Response) -> bool:
    try:
        RecordSelector(settings).select(request, response)
    except HttpkitError:
        return False
    return True


def _none_there(facts: Facts, place: str) -> Finding:
    window = facts.windows
    span = f"{window[0].since:%Y-%m-%d %H:%M} and {window[-1].until:%Y-%m-%d %H:%M} UTC"
    content = facts.pages[0].page.content
    guesses = [
        guess
        for guess in record_places(content, _path_of(facts))
        if guess.value != _path_of(facts) and not guess.why.startswith("an empty")
    ]
    if guesses and content:
        text = f"None {place}, but there is something elsewhere in the answer."
        return Finding(topic="Records", verdict="warn", text=text, settings=["records_path"], suggestions=guesses)
    text = f"None {place}: nothing between {span}, or nothing that the credentials may see. Try an earlier start."
    return Finding(topic="Records", verdict="warn", text=text, settings=["start_from", "params"])


def paging(facts: Facts) -> Finding | None:
    """Which rule ended the pages, and was it the right one?"""
    if facts.trouble:
        return _broken_off(facts, facts.trouble)
    if not facts.pages:
        return None
    if facts.stopped_by:
        return _stopped(facts)
    if facts.settings.paging.pagination == "none":
        return _single(facts)
    if facts.ended_by in {"all records repeat", "the next request was already sent"}:
        return _loop(facts)
    return _doubtful(facts) or Finding(topic="Paging", verdict="pass", text=f"{_ended(facts)}.")


def _broken_off(facts: Facts, trouble: Trouble) -> Finding | None:
    number = len(facts.pages)
    if not number:
        return _not_prepared(trouble)
    where = f"After page {number} " if trouble.place == PAGING else f"Page {number + 1} failed after {number} good: "
    settings = ["total_path"] if "total_path" in trouble.error.message else _places(facts)
    text = f"{where}{said(trouble.error, trouble.sent)}"
    return Finding(topic="Paging", verdict="fail", text=text, settings=settings)


def _not_prepared(trouble: Trouble) -> Finding | None:
    if trouble.place != PREPARE or trouble.sent is None or trouble.sent.response is None:
        return None
    settings = ["prepare_url", "prepare_body", "prepare_capture"]
    text = f"The request before the first page: {said(trouble.error, trouble.sent)}"
    return Finding(topic="Paging", verdict="fail", text=text, settings=settings)


def _stopped(facts: Facts) -> Finding:
    read = f"{counted(facts.pages, 'page')} with {counted(facts.records)} were read, and there are more"
    if facts.stopped_by == "max_pages":
        text = f"{read}: max_pages ended it. The next poll goes on from there; raise it to read more at once."
        return Finding(topic="Paging", verdict="warn", text=text, settings=["max_pages"])
    text = f"{read}. The preview stops here; a poll reads up to {facts.settings.max_pages:,} pages (max_pages)."
    return Finding(topic="Paging", verdict="pass", text=text)


def _single(facts: Facts) -> Finding:
    page = facts.pages[-1].page
    ways = next_pages(page.content, page.response)
    guesses = [Suggestion(setting="pagination", value=_way(way), why=way.why) for way in ways]
    if guesses:
        text = "Only one page is read, since pagination is none, but the answer seems to name a next page."
        return Finding(topic="Paging", verdict="warn", text=text, settings=["pagination"], suggestions=guesses)
    if len(page.records) in _FULL_PAGES:
        text = (
            f"Only one page is read, since pagination is none. It has {len(page.records)} records, "
            "which looks like a full page: are there more?"
        )
        return Finding(topic="Paging", verdict="warn", text=text, settings=["pagination"])
    return Finding(topic="Paging", verdict="pass", text="One page is all that is read, since pagination is none.")


def _loop(facts: Facts) -> Finding:
    number = len(facts.pages)
    if facts.ended_by == "the next request was already sent":
        text = f"{_read(facts)}; then the API named a page that was read before, so reading ended there."
    elif number == 2:
        text = (
            "Page 2 has only records of page 1: the API does not understand how the next page is asked for, "
            "or gives its last page again."
        )
    else:
        text = f"{_read(facts)}; page {number} has only records of earlier ones: the API gives its last page again."
    settings = [*_places(facts), "has_more_path", "total_path"]
    return Finding(topic="Paging", verdict="warn", text=text, settings=settings)


def _doubtful(facts: Facts) -> Finding | None:
    """An end after the first page that may come from a wrong setting."""
    settings, page = facts.settings.paging, facts.pages[-1].page
    if len(facts.pages) > 1 or not page.records:
        return None
    if facts.ended_by == "no next page named":
        ways = [
            way for way in next_pages(page.content, page.response) if way.path != settings.next_path or not way.path
        ]
        same = all(way.style == settings.pagination for way in ways)
        guesses = [
            Suggestion(setting="next_path", value=way.path, why=way.why)
            if same
            else Suggestion(setting="pagination", value=_way(way), why=way.why)
            for way in ways
        ]
        if guesses:
            text = f"{_ended(facts)}. But the answer seems to name one elsewhere."
            names = ["next_path" if same else "pagination"]
            return Finding(topic="Paging", verdict="warn", text=text, settings=names, suggestions=guesses)
    if facts.ended_by == "short page" and len(page.records) in _FULL_PAGES:
        text = f"{_ended(facts)}. The API may give at most {len(page.records)} at once: are there more?"
        return Finding(topic="Paging", verdict="warn", text=text, settings=["page_size", "stop_on_short_page"])
    if facts.ended_by == "total reached" and len(page.records) in {settings.page_size, *_FULL_PAGES}:
        text = f"{_ended(facts)}. Does it count all records, or only those of the page?"
        return Finding(topic="Paging", verdict="warn", text=text, settings=["total_path"])
    return None


def _way(way: NextPage) -> str:
    return f"{way.style} with next_path {way.path}" if way.path else way.style


def _ended(facts: Facts) -> str:
    """The rule that ended the pages, in words and with its setting."""
    settings, page = facts.settings.paging, facts.pages[-1].page
    number, size = len(facts.pages), len(page.records)
    if facts.ended_by == "has_more_path is false":
        why = f"has_more_path {settings.has_more_path!r} says that there are no more"
    elif facts.ended_by == "no next page named":
        where = f"next_path {settings.next_path!r}" if settings.next_path else "its Link header"
        why = f"the answer names no next page ({where})"
    elif facts.ended_by == "total reached":
        why = f"as many records came as total_path {settings.total_path!r} says"
    elif facts.ended_by == "short page":
        why = f"page {number} has {size} records, fewer than the page_size of {settings.page_size}"
    else:
        why = f"page {number} is empty"
    return f"{_read(facts)}; it ended because {why}"


def _read(facts: Facts) -> str:
    return f"{counted(facts.pages, 'page')}, {counted(facts.records)}"


def overlap(facts: Facts) -> Finding | None:
    """Do pages hold records of earlier ones?"""
    if not facts.pages:
        return None
    if len(facts.pages) == 1:
        return Finding(topic="Overlap", verdict="pass", text="Only one page was read, so there is nothing to compare.")
    if facts.ended_by == "all records repeat":
        text = f"All records of page {len(facts.pages)} came before; they are delivered once."
        return Finding(topic="Overlap", verdict="pass", text=text)
    repeated = sum(read.repeated for read in facts.pages)
    if not repeated:
        return Finding(topic="Overlap", verdict="pass", text="No record is on two pages.")
    text = (
        f"{repeated} of {counted(facts.records)} were on an earlier page. They are delivered once; but where pages "
        "overlap, records may also fall between them."
    )
    settings = ["until_parameter", "params", "offset_step"]
    if facts.settings.paging.pagination not in {"page", "offset"}:
        settings = ["until_parameter", "next_parameter"]
    return Finding(topic="Overlap", verdict="warn", text=text, settings=settings)


def _places(facts: Facts) -> list[str]:
    return list(_PLACES.get(facts.settings.paging.pagination, ["pagination"]))


def _path_of(facts: Facts) -> str:
    return " or ".join(facts.settings.records.records_path)


def _tells_an_error(content: dict[str, JsonValue]) -> JsonValue:
    return next((content[name] for name in ("error", "errors", "message", "detail") if content.get(name)), None)
