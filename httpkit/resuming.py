"""The token of an API that is kept from poll to poll: where the last answer ended is where the next poll begins."""

from collections.abc import Callable

from httpkit.errors import SettingsError
from httpkit.paging_styles import URL_STYLES, PagingSettings, is_nothing, resolved
from httpkit.paths import compile_answer_path
from httpkit.values import JsonValue, Page


def token_reader(resume: str, resume_path: str, paging: PagingSettings) -> Callable[[Page], JsonValue] | None:
    """What reads the token that is kept from poll to poll; None for sources that are resumed by time.

    Raises:
        SettingsError: nothing says where the token is.
    """
    if resume != "token":
        return None
    path = resume_path or paging.next_path
    if not path:
        raise SettingsError("resume_path", "is needed by resume 'token': it says where the token is")
    find = compile_answer_path("resume_path", path)
    may_name_page = paging.pagination in URL_STYLES

    def token(page: Page) -> JsonValue:
        found = find(page.content, page.response, page.last_record)
        if not may_name_page or not isinstance(found, str) or is_nothing(found):
            return found
        # The next poll begins elsewhere, where a relative URL would mean something else.
        return resolved(page, found) if path == paging.next_path or "://" in found else found

    return token
