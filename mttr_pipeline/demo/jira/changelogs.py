"""The changelogs of issues: embedded in an issue, page by page for one issue, or of many issues at once."""

from __future__ import annotations

from mttr_pipeline.demo.jira.book import Book
from mttr_pipeline.demo.jira.jql import millis
from mttr_pipeline.demo.jira.parameters import JiraError, read_token, size_of, write_token
from mttr_pipeline.demo.jira.site import Flavour, Json
from mttr_pipeline.demo.kit.wire import Request, Response, answer

EMBEDDED_CHANGES = 40
BULK_CHANGES = 10_000


def _histories(issue: Json) -> list[Json]:
    """The whole changelog, oldest first."""
    rows = (issue.get("changelog") or {}).get("histories") or []
    return sorted(rows, key=lambda history: (millis(history.get("created")) or 0, int(history.get("id") or 0)))


def embedded(issue: Json, flavour: Flavour) -> Json:
    """The changelog inside an issue. Cloud shows the newest entries first and not all; Data Center shows all."""
    histories = _histories(issue)
    total = len(histories)
    if flavour == "cloud":
        histories = histories[::-1][:EMBEDDED_CHANGES]
    return {"startAt": 0, "maxResults": len(histories), "total": total, "histories": histories}


def changelog_page(request: Request, issue: Json) -> Response:
    """One page of the changelog of one issue."""
    histories = _histories(issue)
    start = size_of(request.one("startAt"), 0)
    size = min(size_of(request.one("maxResults"), 100), 100)
    base = f"{request.base_url}{request.path}"
    page: Json = {"self": f"{base}?maxResults={size}&startAt={start}", "startAt": start, "maxResults": size}
    page |= {"total": len(histories), "isLast": start + size >= len(histories)}
    if not page["isLast"]:
        page["nextPage"] = f"{base}?maxResults={size}&startAt={start + size}"
    return answer({**page, "values": histories[start : start + size]})


def bulk_changelog(body: Json, book: Book) -> Response:
    """Changes of many issues by date, then issue: the history of one issue may continue on the next page."""
    names, wanted = body.get("issueIdsOrKeys") or [], set(body.get("fieldIds") or ())
    if not 1 <= len(names) <= 1000:
        raise JiraError(400, "The number of issue ids or keys must be between 1 and 1000.")
    if len(wanted) > 10:
        raise JiraError(400, "The number of field ids must not exceed 10.")
    # Issues that do not exist or are not visible are left out without an error.
    issues = {issue["id"]: issue for name in names if (issue := book.by_name.get(str(name).upper()))}
    changes: list[tuple[int, int, Json]] = []
    for identity, issue in issues.items():
        for history in _histories(issue):
            items = history.get("items") or []
            if wanted:
                items = [item for item in items if {item.get("fieldId"), item.get("field")} & wanted]
            if items:
                at = millis(history.get("created")) or 0
                row = {**history, "items": items}
                if int(history["id"]) % 3 == 0:  # some instants come as epoch milliseconds
                    row["created"] = at
                changes.append((at, int(identity), row))
    changes.sort(key=lambda change: change[:2])
    token_of = ",".join(map(str, names))
    start = read_token(body.get("nextPageToken"), token_of)
    size = min(size_of(body.get("maxResults"), 1000) or 1000, BULK_CHANGES)
    grouped: dict[int, list[Json]] = {}
    for _, identity, history in changes[start : start + size]:
        grouped.setdefault(identity, []).append(history)
    logs = [{"issueId": str(identity), "changeHistories": rows} for identity, rows in grouped.items()]
    payload: Json = {"issueChangeLogs": logs}
    if start + size < len(changes):
        payload["nextPageToken"] = write_token(start + size, token_of)
    return answer(payload)
