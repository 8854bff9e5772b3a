"""The Link header (RFC 8288), read as leniently as servers write it."""

import re

_TARGET = re.compile(r"[\s,]*(?:<(?P<bracketed>[^>]*)>|(?P<bare>[^\s;<,](?:[^\s;<]*[^\s;<,])?))\s*")
_PARAMETER = re.compile(r';\s*(?P<name>[^\s=;,]+)\s*(?:=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s;,]*)))?\s*')


def link_targets(header: str) -> dict[str, str]:
    """The URL of each relation named in a Link header; the first one wins.

    Several headers may be joined with commas. Targets without angle brackets and values without quotes are accepted,
    because real servers send them.

    Args:
        header: the value, for example `<https://api/items?page=2>; rel="next"`.
    """
    targets: dict[str, str] = {}
    position = 0
    while match := _TARGET.match(header, position):
        url = match["bracketed"] if match["bracketed"] is not None else match["bare"]
        position = match.end()
        relations: list[str] = []
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            if parameter["name"].lower() == "rel" and not relations:
                relations = (parameter["quoted"] or parameter["plain"] or "").lower().split()
        for relation in relations:
            targets.setdefault(relation, url.strip())
        comma = header.find(",", position)
        if comma < 0:
            break
        position = comma + 1
    return targets
