"""Times in requests and answers: the window of a list, and the time zone of its timestamps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.pagerduty.refusals import invalid

MONTH = timedelta(days=31)
_STAMP = re.compile(rb'"(\w*at)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')


def window_of(request: Request, now: datetime, account_zone: str) -> tuple[datetime, datetime]:
    """since and until of a request; one that is missing is a month from the other or from now."""
    zone = _zone(request.one("time_zone") or account_zone)
    until = _instant("until", request.one("until"), zone)
    since = _instant("since", request.one("since"), zone)
    until = until or (min(since + MONTH, now) if since else now) + timedelta(seconds=1)
    since = since or until - MONTH
    # Timestamps have whole seconds and the end is exclusive: an end half a second later includes that second.
    return since, until + timedelta(seconds=1 if until.microsecond else 0)


def in_zone(request: Request, response: Response, default: str | None) -> Response:
    """The response with its timestamps in the zone asked for; UTC is `Z`."""
    name = request.one("time_zone") or default
    if name in (None, "UTC", "Etc/UTC"):
        return response
    zone = _zone(name or "UTC")

    def shift(match: re.Match[bytes]) -> bytes:
        local = datetime.fromisoformat(match[2].decode()).astimezone(zone)
        return b'"%s":"%s"' % (match[1], local.isoformat(timespec="seconds").encode())

    response.body = _STAMP.sub(shift, response.body)
    return response


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid(f"Time zone {name} is not known") from None


def _instant(name: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """A since/until value; without an offset it is local time."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise invalid(f"{name.capitalize()} is not a valid date") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
