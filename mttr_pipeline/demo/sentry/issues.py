"""Issues rendered as Sentry shows them, and as GlitchTip does.

What belongs here: state, history and shape of an issue at an instant (the OpenAPI descriptions of both). What does not: requests,
which issues a list holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mttr_pipeline.demo.kit.wire import iso_millis
from mttr_pipeline.demo.sentry.truth import DAY, HOUR, Episode, ErrorIssue

Json = dict[str, Any]
MOST_ACTIVITIES = 100
_PROCESSING = timedelta(seconds=4)  # between an event and the entry that tells of the regression


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked for: events of these instants, and of one environment where it is given."""

    since: datetime
    until: datetime
    environments: tuple[str, ...] = ()

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.since <= at <= self.until


def event_times(issue: ErrorIssue, now: datetime) -> list[tuple[datetime, int]]:
    """When its events came, as far as they have, and how many at a time. The first one is `first_seen`."""
    found = [(max(hour, issue.first_seen), n) for hour, n in sorted(issue.events.items()) if n and hour <= now]
    return found or [(issue.first_seen, 1)]


def state_of(issue: ErrorIssue, now: datetime) -> tuple[str, str | None, Json]:
    """Status, substatus and statusDetails."""
    for one in issue.archived:
        if one.at <= now and not (one.until and one.until <= now):
            return "ignored", "archived_until_escalating", {}
    begun = [one for one in issue.episodes if one.began <= now]
    last = begun[-1] if begun else None
    if last and last.over_at and last.over_at <= now:
        return "resolved", None, _details(last, now)
    if last and len(begun) > 1 and last.reopened_by is None:
        return "unresolved", "regressed", {}
    return "unresolved", "new" if now - issue.first_seen < 7 * DAY else "ongoing", {}


def _details(episode: Episode, now: datetime) -> Json:
    if episode.how == "age":
        return {"autoResolved": True}
    if episode.how == "next_release" and not (episode.resolved and episode.resolved <= now):
        return {"inNextRelease": True}
    return {"inRelease": episode.release} if episode.release and episode.how != "hand" else {}


def history(issue: ErrorIssue, now: datetime, children: Iterable[ErrorIssue], *, is_log: bool) -> list[Json]:
    """The history, newest first, cut after a hundred entries: the synthetic first entry is cut first.

    `children` are the issues that became part of this one: their histories are in it. With `is_log`, entries come from the log of
    newer servers: under other ids, and what was written is never rewritten.
    """
    entries = [*_entries(issue, now, is_log)]
    for child in children:
        entries += [*_entries(child, child.merged_at or now, is_log)]
        entries.append(("merge", child.merged_at or now, None, {"issues": [{"id": child.id, "title": child.title}]}))
    first = 500_000 if is_log else 1
    shown = [
        {
            "id": str(first + place),
            "type": kind,
            "user": _person(by) if by else None,
            "sentry_app": None,
            "data": dict(data),
            "dateCreated": iso_millis(at),
            **({"source": "log"} if is_log else {}),
        }
        for place, (kind, at, by, data) in enumerate(sorted(entries, key=lambda one: (one[1], one[0])))
    ]
    begin = {
        "id": "0",
        "type": "first_seen",
        "user": None,
        "data": {"priority": issue.priority},
        "dateCreated": iso_millis(issue.first_seen),
    }
    return [*reversed(shown), begin][:MOST_ACTIVITIES]


Entry = tuple[str, datetime, str | None, Json]


def _entries(issue: ErrorIssue, now: datetime, is_log: bool) -> Iterable[Entry]:
    for place, one in enumerate(issue.episodes):
        if one.began > now:
            break
        if place and one.reopened_by:
            yield "set_unresolved", one.began, one.reopened_by, {}
        elif place:
            yield "set_regression", one.began + _PROCESSING, None, {"version": issue.last_release or ""}
        yield from ((kind, at, by, data) for kind, at, by, data in _end(one, now, is_log) if at <= now)
    for act in issue.acts:
        if act.at <= now:
            yield act.type, act.at, act.by, dict(act.data)
    for stretch in issue.archived:
        if stretch.at <= now:
            yield "set_ignored", stretch.at, stretch.by, {"ignoreUntilEscalating": True}
        if stretch.until and stretch.until <= now and stretch.escalates:
            yield "set_escalating", stretch.until, None, {"forecast": 10}


def _end(episode: Episode, now: datetime, is_log: bool) -> Iterable[Entry]:
    """What the history tells of the end of an episode."""
    claimed, resolved = episode.claimed, episode.resolved
    if episode.how == "hand" and resolved:
        yield "set_resolved", resolved, episode.by, {}
    elif episode.how == "in_release" and (at := claimed or resolved):
        yield "set_resolved_in_release", at, episode.by, {"version": episode.release}
    elif episode.how == "next_release" and (at := claimed or resolved):
        has_come = resolved is not None and resolved <= now
        yield "set_resolved_in_release", at, episode.by, {"version": episode.release if has_come and not is_log else ""}
    elif episode.how == "commit" and claimed:
        yield "set_resolved_in_pull_request", claimed, episode.by, {"pullRequest": {"id": "17", "title": "Fix"}}
    elif episode.how == "age" and resolved:
        yield "set_resolved_by_age", resolved + HOUR, None, {"age": 720}


def _person(name: str) -> Json:
    """A user as the server shows one, with an address."""
    return {
        "id": str(sum(name.encode())),
        "name": name,
        "username": name,
        "email": f"{name.lower().replace(' ', '.')}@example.com",
    }


def points(issue: ErrorIssue, now: datetime, step: timedelta, n: int) -> list[list[int]]:
    """`n` periods up to the present one, each with its beginning and the events in it; 0 where there were none."""
    seconds = int(step.total_seconds())
    latest = int(now.timestamp()) // seconds * seconds
    found = {latest - seconds * back: 0 for back in range(n)}
    for hour, events in issue.events.items():
        at = int(hour.timestamp()) // seconds * seconds
        if hour <= now and at in found:
            found[at] += events
    return [[at, events] for at, events in sorted(found.items())]


def release_of(version: str | None) -> Json | None:
    """A release in the shape that issues show."""
    if version is None:
        return None
    made = iso_millis(datetime(2026, 1, 1, tzinfo=UTC))
    return {
        "version": version,
        "shortVersion": version.rpartition("@")[2],
        "dateCreated": made,
        "dateReleased": None,
        "ref": None,
        "url": None,
    }


def _base(issue: ErrorIssue, now: datetime) -> Json:
    """The members that both products show."""
    status, _, details = state_of(issue, now)
    return {
        "id": issue.id,
        "shortId": issue.short_id,
        "title": issue.title,
        "culprit": f"{issue.project}.views",
        "level": issue.level,
        "logger": None,
        "status": status,
        "statusDetails": details,
        "type": "error",
        "metadata": {"title": issue.title},
        "numComments": sum(1 for act in issue.acts if act.type == "note" and act.at <= now),
        "shareId": None,
        "subscriptionDetails": None,
    }


def in_sentry(issue: ErrorIssue, now: datetime, window: Window, project: int, *, url: str, has_lifetime: bool) -> Json:
    """An issue of a list: what stands at the top is of the window, `lifetime` of its whole life."""
    times = event_times(issue, now)
    within = [(at, n) for at, n in times if window.holds(at)] or times[-1:]
    _, substatus, _ = state_of(issue, now)
    flipped = issue.flips_at is not None and issue.flips_at <= now
    kind, name = issue.assigned or (None, "")
    row = {
        **_base(issue, now),
        "permalink": f"{url}/organizations/acme/issues/{issue.id}/",
        "substatus": substatus,
        "isPublic": False,
        "platform": "python",
        "priority": issue.priority,
        "priorityLockedAt": None,
        "seerFixabilityScore": None,
        "seerAutofixLastTriggered": None,
        "seerExplorerAutofixLastTriggered": None,
        "project": {"id": str(project), "name": issue.project.title(), "slug": issue.project, "platform": "python"},
        "issueType": "error" if issue.category == "error" else "performance_slow_db_query",
        "issueCategory": issue.category,
        "assignedTo": None
        if kind is None
        else {"type": kind, "id": "7", "name": name, **({"email": "ana@example.com"} if kind == "user" else {})},
        "isBookmarked": False,
        "isSubscribed": False,
        "hasSeen": False,
        "annotations": [{"displayName": page, "url": page} for page in issue.pages],
        "isUnhandled": issue.unhandled != flipped,
        **_numbers(issue, within),
    }
    return {**row, "lifetime": {**_numbers(issue, times), "stats": None}, "filtered": None} if has_lifetime else row


def _numbers(issue: ErrorIssue, times: list[tuple[datetime, int]]) -> Json:
    return {
        "count": str(sum(n for _, n in times)),
        "userCount": min(issue.users, sum(n for _, n in times)),
        "firstSeen": iso_millis(times[0][0]),
        "lastSeen": iso_millis(times[-1][0]),
    }


def in_glitchtip(issue: ErrorIssue, now: datetime, project: int) -> Json:
    """An issue of GlitchTip: fewer members, and numbers as texts."""
    times = event_times(issue, now)
    kind, name = issue.assigned or (None, "")
    return {
        **_base(issue, now),
        "statusDetails": {},
        "count": str(sum(n for _, n in times)),
        "userCount": 0,
        "firstSeen": iso_millis(times[0][0]),
        "lastSeen": iso_millis(times[-1][0]),
        "project": {"id": str(project), "platform": "python", "slug": issue.project, "name": issue.project.title()},
        "stats": {"24h": []},
        "permalink": "Not implemented",
        "matchingEventId": None,
        "firstRelease": release_of(issue.first_release),
        "lastRelease": release_of(issue.last_release),
        "assignedTo": None if kind is None else {"type": kind, "id": "7", "name": name, "email": None},
    }
