"""Change events: deploys rendered in the shape of PagerDuty's, and their list (REST API, List Change Events; Events API v2).

The event is sent when the deploy is over. Its list wants instants in UTC, and holds the last 90 days. The pipelines of some services
tell the pager, too, of what they have brought to their users, half a minute later: one deploy with two records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from mttr_pipeline.demo.deploys import Deploy, told_again
from mttr_pipeline.demo.facts import code, identifier
from mttr_pipeline.demo.kit.wire import Request, iso_seconds
from mttr_pipeline.demo.pagerduty.book import Json
from mttr_pipeline.demo.pagerduty.records import reference, service_ref
from mttr_pipeline.demo.pagerduty.refusals import invalid

KEPT = timedelta(days=90)
INTEGRATION = "PDEPLOYS"
MIRRORED = ("Checkout", "Accounts")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+ ]00:00)")


def change_id(deploy: Deploy) -> str:
    """The id of the change event of a deploy."""
    return "01" + code(identifier("pagerduty", "change", deploy.tool, deploy.number), 24)


def change_of(deploy: Deploy) -> Json:
    """The change event of a deploy that is over."""
    assert deploy.finished is not None
    words = {"success": "Deployed", "failure": "Deploy failed:", "cancelled": "Deploy cancelled:"}
    return {
        "id": change_id(deploy),
        "type": "change_event",
        "summary": f"{words[deploy.outcome]} {deploy.service} {deploy.version} to {deploy.environment}",
        "timestamp": iso_seconds(deploy.finished),
        "source": "deploy-pipeline",
        "integration": {
            **reference("inbound_integration", INTEGRATION, "Deploys", "integrations"),
            "type": "inbound_integration_reference",
        },
        "services": [service_ref(deploy.service)],
        "custom_details": {
            "environment": deploy.environment,
            "version": deploy.version,
            "sha": deploy.sha,
            "status": deploy.outcome,
        },
        "links": [{"href": f"https://ci.example.com/deploys/{deploy.number}", "text": "Deploy"}],
        "images": [],
    }


def mirrored(deploys: Iterable[Deploy]) -> list[Deploy]:
    """The deploys that the pager is told of beside the tool that made them."""
    return told_again((one for one in deploys if one.tool != "pagerduty"), MIRRORED, timedelta(seconds=30))


def changes_at(deploys: Iterable[Deploy], now: datetime) -> list[Json]:
    """The change events of deploys that are over at an instant."""
    return [change_of(deploy) for deploy in deploys if deploy.ends_by(now)]


def listed(request: Request, changes: Iterable[Json], now: datetime) -> list[Json]:
    """The change events of a request, the newest first. A time that is not in UTC is refused."""
    ends: dict[str, str] = {}
    for name in ("since", "until"):
        text = request.one(name)
        if text is not None:
            if not _UTC.fullmatch(text):
                raise invalid(f"{name.capitalize()} must be in UTC")
            ends[name] = iso_seconds(datetime.fromisoformat(text.replace(" ", "+")))
    oldest = max(ends.get("since", ""), iso_seconds(now - KEPT))
    wanted = set(request.many("integration_ids[]"))
    return [
        change
        for change in changes
        if oldest <= (change.get("timestamp") or "") < ends.get("until", "9999")
        and (not wanted or (change.get("integration") or {}).get("id") in wanted)
    ]
