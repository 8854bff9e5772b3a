"""The page's static files: the ones in `static/` and the chart library that the plotly package carries."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # the package ships no types

MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One static file; it has no slots because the compressed form is computed once and kept."""

    name: str
    media_type: str
    content: bytes

    @cached_property
    def address(self) -> str:
        """Path of the file with its version."""
        return f"/static/{self.name}?v={hashlib.sha256(self.content).hexdigest()[:12]}"

    @cached_property
    def compressed(self) -> bytes:
        """The content as gzip."""
        return gzip.compress(self.content, compresslevel=6, mtime=0)


def load_assets() -> dict[str, Asset]:
    """Read every static file; a few megabytes, kept for the life of the server."""
    own = [
        Asset(name=file.name, media_type=MEDIA_TYPES[_suffix(file.name)], content=file.read_bytes())
        for file in resources.files("relay.web").joinpath("static").iterdir()
        if _suffix(file.name) in MEDIA_TYPES
    ]
    chart_library = Asset(name="plotly.js", media_type=MEDIA_TYPES[".js"], content=get_plotlyjs().encode())
    return {asset.name: asset for asset in [*own, chart_library]}


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
