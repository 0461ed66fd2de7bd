"""When a deployment that no job made was over: the API lists no such time, but it can be asked for deployments that finished in a
window.

A deployment is made before it finishes, and its last change is not before that. Where these two are more than an hour apart, the
window between them is halved, on whole hours, until one hour is left: at most a request for each halving. Only successful
deployments can be asked for. The row itself holds no finish, and neither end of the window is taken for one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.sources.gitlab.pages import project_path, rows_of
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.windows import Window, iso

HOUR = timedelta(hours=1)


def is_wide(created: datetime, updated: datetime) -> bool:
    """Whether the deployment itself leaves more than an hour in which it may have finished."""
    return updated - created > HOUR


def hour_of_finish(
    client: HttpClient, project: str, deployment: str, environment: str, created: datetime, updated: datetime
) -> Window | None:
    """The hour in which a successful deployment finished; None where no window has it. Raises what `HttpClient.get` raises."""
    window = Window(_hour(created), _hour(updated) + HOUR)

    def finished_in(part: Window) -> bool:
        # The filter is refused without this order and this status.
        params = [("order_by", "finished_at"), ("sort", "asc"), ("status", "success"), ("environment", environment)]
        params += [("finished_after", iso(part.since)), ("finished_before", iso(part.until))]
        rows = rows_of(client, f"{project_path(project)}/deployments", params)
        return any(row_id(row) == deployment for row in rows)

    is_certain = False
    while (hours := (window.until - window.since) // HOUR) > 1:
        middle = window.since + (hours // 2) * HOUR
        first, second = Window(window.since, middle), Window(middle, window.until)
        is_certain = finished_in(first)
        window = first if is_certain else second
    return window if is_certain or finished_in(window) else None


def line_of(deployment: str, window: Window | None) -> bytes:
    """What is landed of it."""
    ends = {"since": iso(window.since), "until": iso(window.until)} if window else {}
    return msgspec.json.encode({"id": deployment, **ends})


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
