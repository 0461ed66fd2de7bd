"""Change events: builds, changes of configuration and deploys, mixed, without a status or a version of their own.

`[sources.pagerduty] change_events` says which of them are deploys; without it, none is read. The vendor keeps them for 90 days
(PagerDuty developer documentation, Change Events), so no older ones are asked for, and what an earlier pull landed stays. They are
listed by the time that their sender gave them (`GET /change_events`: `since` and `until` have to be in UTC). One that comes late has
a time that was read already, so the last days are read again every night (`lookback_days`). Paging has the usual ceiling.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.windows import Window

STREAM = "change_events"
KEPT = timedelta(days=90)


def window_of(plan: Plan, changed_since: datetime, is_known: bool) -> Window:
    """The window to read: all that is kept, unless the pull before this one has read them (`is_known`)."""
    since = plan.since
    if plan.incremental:
        since = changed_since if is_known else plan.covered_since or since
    return Window(min(max(since, plan.as_of - KEPT), plan.until), plan.until)
