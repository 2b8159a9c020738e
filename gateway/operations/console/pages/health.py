"""What machines ask: whether the process works, whether it is ready, and its metrics. Nothing here waits for
the store."""

from http import HTTPStatus
from ipaddress import ip_address

from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.operations.console.page import Kind, Page, Refused, Section, Visit
from gateway.operations.console.rights import Right
from gateway.operations.metrics.gauges import STANDSTILL

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers of a proxy: the visitor is another machine, whatever its address says."""


async def healthz(visit: Visit) -> Response:
    """Whether the process works: who restarts processes asks this."""
    if visit.services.metrics.gauges.standing:
        reason = f"no batch has ended for {STANDSTILL:g} s: the store, or its disk, does not answer"
        return PlainTextResponse(f"{reason}\n", HTTPStatus.SERVICE_UNAVAILABLE)
    return PlainTextResponse("ok\n")


async def readyz(visit: Visit) -> Response:
    """Whether SMS are taken: who spreads connections asks this. Strangers are not told why."""
    faults = await visit.services.metrics.gauges.faults()
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    told = faults if is_near(visit) or visit.viewer.may(Right.METRICS) else []
    if "application/json" in visit.request.headers.get("accept", ""):
        return JSONResponse({"ready": not faults, "faults": told}, status)
    lines = ["not ready" if faults else "ready", *told]
    return PlainTextResponse("".join(f"{line}\n" for line in lines), status)


async def metrics(visit: Visit) -> Response:
    """The metrics, for this machine, or whoever has the right."""
    if not is_near(visit) and not visit.viewer.may(Right.METRICS):
        status = HTTPStatus.FORBIDDEN if visit.viewer.name else HTTPStatus.UNAUTHORIZED
        raise Refused(status, "base.metrics", right=Right.METRICS.value)
    service = visit.services.metrics
    accept = visit.request.headers.get("accept", "")
    content_type, text = await service.exposition.render(await service.gauges.read(), accept)
    return Response(text, headers={"content-type": content_type})


def is_near(visit: Visit) -> bool:
    """Whether the visitor is on this machine, as far as the address of the connection can say it."""
    request = visit.request
    if visit.services.settings.behind_proxy or any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


SECTION = Section(
    "health",
    "",
    None,
    (
        Page("/healthz", healthz, None, Kind.API, summary="Whether the process works: 200 or 503"),
        Page("/readyz", readyz, None, Kind.API, summary="Whether SMS are taken: 200, or 503 with reasons"),
        Page("/metrics", metrics, None, Kind.API, summary="Metrics in the text format of Prometheus"),
    ),
)
