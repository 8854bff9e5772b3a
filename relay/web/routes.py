"""The addresses of the web page: the page itself, the picture it polls and its static files."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from relay.store import Store, utc_now
from relay.web.assets import Asset, load_assets
from relay.web.overview import Overview, take_overview

# Nothing inline and nothing from elsewhere. The chart library also carries map code, whose inline stylesheet this
# refuses: no map is drawn here.
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ASSET_HEADERS = {
    # The address of an asset carries its version, so a cached copy is never stale.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


def create_router(store: Store, *, now: Callable[[], datetime] = utc_now) -> APIRouter:
    """The routes of the page over `store`; `now` gives the aware current time."""
    router = APIRouter(include_in_schema=False)
    assets = load_assets()
    page = Environment(
        loader=PackageLoader("relay.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("page.html")

    @router.get("/")
    def show_page(request: Request) -> HTMLResponse:
        html = page.render(relay=str(request.base_url).rstrip("/"), asset=lambda name: assets[name].address)
        return HTMLResponse(html, headers=PAGE_HEADERS)

    @router.get("/overview")
    def show_overview(response: Response) -> Overview:
        response.headers["Cache-Control"] = "no-store"
        return take_overview(store, now())

    @router.get("/static/{name}")
    def show_asset(name: str, accept_encoding: Annotated[str, Header()] = "") -> Response:
        if name not in assets:
            raise HTTPException(404, f"static file: {name!r} does not exist")
        return _answer(assets[name], gzip="gzip" in accept_encoding.lower())

    return router


def _answer(asset: Asset, *, gzip: bool) -> Response:
    headers = dict(ASSET_HEADERS)
    if gzip:
        headers["Content-Encoding"] = "gzip"
    content = asset.compressed if gzip else asset.content
    return Response(content, media_type=asset.media_type, headers=headers)
