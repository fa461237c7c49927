"""`/metrics`, as Prometheus reads it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from proxy.metrics import CONTENT_TYPE
from proxy.site import Pages, Site, get


async def scrape(site: Site, _request: Request) -> Response:
    return Response(site.metrics.page(), media_type=CONTENT_TYPE)


PAGES = Pages((get("/metrics", scrape),))
