"""The incidents API of a Cloud site: the alerts that an incident issue is linked with, and those that page people for it.

As documented (Jira Service Management Incidents REST API, groups Linked alerts and Responder alerts), linked alerts are ids in
pages, the next of which a number asks for, and responder alerts are objects, in one answer. As the gateway does, a token without the
scope gets status 401. An issue of another type than an incident, of which no document says what it gets, gets 404.
"""

from __future__ import annotations

from mttr_pipeline.demo.jira.book import Book
from mttr_pipeline.demo.jira.parameters import JiraError, size_of
from mttr_pipeline.demo.jira.site import SITES, Json
from mttr_pipeline.demo.kit.wire import Request, Response, answer

CLOUD_ID = "6ac9f1f4-2c59-4a43-8d3e-6f6ee4a3b7d1"
PREFIX = f"/jsm/incidents/cloudId/{CLOUD_ID}/v1/incident/"
SCOPE = "read:incident:jira-service-management"
PAGE = 3  # ids per page: no document says how many


def linked_alerts(request: Request, book: Book) -> Response:
    """Answer a request below `PREFIX`. Raises JiraError for an issue that is no incident, and for other paths."""
    name, _, what = request.path.removeprefix(PREFIX).partition("/")
    issue = book.by_name.get(name) if name.isdigit() else None
    if request.method != "GET" or issue is None or not _is_incident(issue):
        raise JiraError(404, "Incident not found")
    if what == "responder-alerts":
        rows = [_responder_alert(alert) for alert in issue.get("responderAlerts") or ()]
        return answer({"responderAlerts": rows})
    if what != "alert":
        raise JiraError(404, "Not found")
    ids, start = issue.get("linkedAlerts") or [], size_of(request.one("startKey"), 0)
    following = start + PAGE if start + PAGE < len(ids) else None
    return answer({"values": {"alertIds": ids[start : start + PAGE]}, "startKey": following})


def _is_incident(issue: Json) -> bool:
    return str(issue["fields"]["issuetype"]["name"]).lower().endswith("incident")


def _responder_alert(alert: str) -> Json:
    link = f"{SITES['cloud']}/jira/ops/alert/detail/{alert}/details"
    return {"id": alert, "link": link, "message": "An incident needs you", "status": "open"}
