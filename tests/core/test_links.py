"""How a Link header is read."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.links import link_targets


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://api/items?page=2>; rel="next"', "https://api/items?page=2"),
        ("<https://api/items?page=2>; rel=next", "https://api/items?page=2"),
        ("https://api/items?page=2; rel=next", "https://api/items?page=2"),
        ('<?page=2>;rel="next"', "?page=2"),
        ('< /items >; rel="next"', "/items"),
        ('</items?a=1,2;3>; rel="next"', "/items?a=1,2;3"),
        ('</items>; title="a, b; rel=prev"; rel="next"', "/items"),
        ('</items>; title="a \\" b"; rel="next"', "/items"),
        ('</items>; REL="NEXT"', "/items"),
        ('</items>; rel="last next"', "/items"),
        ('</items>; rel = "next"', "/items"),
        ('</items>; crossorigin; rel="next"', "/items"),
        ('</1>; rel="prev", </2>; rel="next"', "/2"),
        ('</1>; rel="prev",</2>; rel="next"', "/2"),
        ("/1; rel=prev, /2; rel=next", "/2"),
        ("/1, /2; rel=next", "/2"),
        ('</1>, </2>; rel="next"', "/2"),
        (', ,</2>; rel="next"', "/2"),
        ('</1>; rel="prev", , </2>; rel="next"', "/2"),
        ('</1>; rel="next", </2>; rel="next"', "/1"),
        ('</1>; rel="next"; rel="prev"', "/1"),
    ],
)
def test_the_next_relation_is_found(header: str, target: str) -> None:
    assert link_targets(header).get("next") == target


@pytest.mark.parametrize(
    "header",
    ["", ",", "   ", "</items>", '</items>; rel="prev"', '</items>; rel="prev"; rel="next"', "</items", "rel=next"],
)
def test_without_a_next_relation_there_is_none(header: str) -> None:
    assert "next" not in link_targets(header)


@given(st.one_of(st.text(), st.text(alphabet='<>;,="\\ relnxt/?', max_size=60)))
def test_no_text_is_an_error(header: str) -> None:
    link_targets(header)


def test_a_long_header_of_nonsense_is_read_in_no_time() -> None:
    """A pattern that goes back over what it read would take hours."""
    for piece in ('<a>;b="', ";a=", " ,", '<a>;"', "; rel", '\\"', "<", "a,"):
        link_targets(piece * 20_000)


_tokens = st.text(alphabet=string.ascii_lowercase + string.digits + "-", min_size=1, max_size=8)
_urls = st.text(alphabet=string.ascii_letters + string.digits + "/?&=%,;:.-_~", min_size=1, max_size=30)
_quoted = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
_spaces = st.sampled_from(["", " ", "  "])


@st.composite
def headers(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A Link header as RFC 8288 §3 allows it, and the first target of each of its relations."""
    links, targets = [], dict[str, str]()
    for _ in range(draw(st.integers(1, 4))):
        url, relations = draw(_urls), draw(st.lists(_tokens, min_size=1, max_size=3))
        title = draw(_quoted).replace("\\", "\\\\").replace('"', '\\"')
        parameters = [
            f'rel="{" ".join(relations)}"' if len(relations) > 1 or draw(st.booleans()) else f"rel={relations[0]}"
        ]
        parameters.insert(draw(st.integers(0, 1)), f'title="{title}"')
        space = draw(_spaces)
        links.append(f"<{url}>" + "".join(f"{space};{space}{parameter}" for parameter in parameters))
        for relation in relations:
            targets.setdefault(relation, url)
    return f"{draw(_spaces)},{draw(_spaces)}".join(links), targets


@given(headers())
def test_every_header_of_the_standard_is_read(generated: tuple[str, dict[str, str]]) -> None:
    header, targets = generated

    assert link_targets(header) == targets
