"""Sessions of releases as Sentry counts them: groups and a series for each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mttr_pipeline.demo.kit.wire import Request, Response, answer, iso_seconds
from mttr_pipeline.demo.sentry.issues import Window
from mttr_pipeline.demo.sentry.truth import DAY, Errors

MAX_POINTS = 10_000


class Refused(Exception):
    """An answer that holds no data."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def sessions_of(request: Request, errors: Errors, now: datetime, window: Window, ids: Mapping[str, int]) -> Response:
    """Sessions by project, release, environment and status. No more groups are listed than 10,000 points allow. Raises Refused."""
    if "sum(session)" not in request.many("field"):
        raise Refused(400, 'Request is missing a "field"')
    begin = window.since.replace(hour=0, minute=0, second=0, microsecond=0)
    end = window.until if request.one("end") else window.until + DAY
    days = [begin + DAY * n for n in range(max(0, (end - begin).days))]
    if len(days) > MAX_POINTS:
        raise Refused(400, "Your interval and date range would create too many results.")
    by = request.many("groupBy")
    chosen, environments = request.many("project"), request.many("environment")
    groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for one in errors.sessions:
        at = one.day.replace(hour=0, minute=0, second=0, microsecond=0)
        if at not in days or one.day > now or (chosen and one.project not in chosen):
            continue
        if environments and one.environment not in environments:
            continue
        parts = {"healthy": one.sessions - one.crashed, "crashed": one.crashed}
        for status, n in parts.items():
            values = {
                "project": ids[one.project],
                "release": one.release,
                "environment": one.environment,
                "session.status": status,
            }
            key = tuple((name, values[name]) for name in by)
            groups.setdefault(key, [0] * len(days))[days.index(at)] += n
    most = min(int(request.one("per_page") or MAX_POINTS), MAX_POINTS // max(1, len(days)))
    rows = [
        {"by": dict(key), "totals": {"sum(session)": sum(series)}, "series": {"sum(session)": series}}
        for key, series in groups.items()
    ]
    body = {
        "start": iso_seconds(begin),
        "end": iso_seconds(end),
        "intervals": [iso_seconds(day) for day in days],
        "groups": rows[:most],
        "query": "",
    }
    return answer(body)
