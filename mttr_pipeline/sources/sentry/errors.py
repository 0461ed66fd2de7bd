"""The error issues of an organization: those with new events, those whose state changed, and those that are gone.

The list has no filter by the time of a change, and no order by it. So each pull reads the list of all errors, the one with the
latest event first, back to the last pull; and the whole lists of those that are resolved and archived, which it compares with what
it knows: a resolve by a release is seen nowhere else. Once a week it lists all open ones, and asks for each known one that is not
among them by its id. Sources: docs.sentry.io (API reference: issues; states and triage), the OpenAPI descriptions of Sentry and
GlitchTip.

Streams: issues, one line for each state in which one was seen; issue_activities; issue_counts; tombstones.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain

import msgspec

from mttr_pipeline.landing.store import TOMBSTONES, Extract, tombstone
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.audit import SUSPICIOUS_DELETIONS
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.sentry import (
    FILTERS_IGNORED,
    HISTORIES_CUT,
    ISSUES_MERGED,
    NO_RESOLVE_TIMES,
    OLDER_THAN_GIVEN,
    SentryOptions,
)
from mttr_pipeline.sources.sentry.details import DAYS_BACK, HOURS, Details, unread
from mttr_pipeline.sources.sentry.issues import MOST_ACTIVITIES, Issue, activity_line, counts_line, issue_line
from mttr_pipeline.sources.sentry.lists import Lists
from mttr_pipeline.sources.sentry.memory import DAY, WEEK, Errors, Known
from mttr_pipeline.sources.sentry.pages import issues_path
from mttr_pipeline.sources.sentry.projects import Projects
from mttr_pipeline.sources.sentry.server import DAYS, Server

PER_FILE = 50  # issues that are landed together


class _Landed(msgspec.Struct):
    id: str
    known: Known


_LANDED = msgspec.json.Decoder(_Landed)


@dataclass
class _Lines:
    """What is landed together, by stream."""

    issues: list[bytes] = field(default_factory=list)
    issue_activities: list[bytes] = field(default_factory=list)
    issue_counts: list[bytes] = field(default_factory=list)
    tombstones: list[bytes] = field(default_factory=list)


class IssuesPull:
    """The issues of one extract. After `run`, `known` are those that the next pull compares with, by id, `walked_at` is when all
    open ones were listed, and `counted` what was noticed."""

    def __init__(
        self,
        organization: str,
        client: HttpClient,
        options: SentryOptions,
        plan: Plan,
        extract: Extract,
        runner: Runner,
        server: Server,
        before: Errors,
        projects: Projects,
        since: datetime | None,
        read_at: datetime,
    ) -> None:
        """`before` is what the last pull left, `since` from when on it may lack events; None where all are read."""
        self._options, self._plan, self._extract, self._runner = options, plan, extract, runner
        self._server, self._before, self._projects = server, before, projects
        self._since, self._read_at = since, read_at
        self._details = Details(client, organization, server, options.error_environments)
        self._lists = Lists(client, runner, issues_path(organization), server, projects, options.error_environments)
        self.known: dict[str, Known] = {}
        self.walked_at = before.walked_at
        self.counted: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Land what is new. Raises MttrError."""
        is_due = self._since is None or self.walked_at is None or self._read_at - self.walked_at >= WEEK
        landed = self._landed_before()
        before = {id: one for id, one in self._before.issues.items() if self._projects.wants(one.project)}
        listed = [(id, one.status) for id, one in before.items() if self._was_listed(one, self._read_at)]
        self._lists.read(self._since, with_open=is_due)
        if self._since is not None:
            self._lists.read_all_if_lacking(listed)
        rows = self._lists.rows
        self.known = before | landed
        compared = landed if self._since is None else self.known
        whole = {id for id, row in rows.items() if id not in compared or _has_history(compared[id], row)}
        light = {id for id, row in rows.items() if id not in whole and compared[id].digest != row.digest()}
        if self._since is not None and self._server.dialect == "sentry" and light & self._lists.active:
            self._lists.read_days(self._since)
        asked = self._asked_for(is_due) if self._since is not None else []
        self._runner.run(self._in_files(sorted(whole), sorted(light), asked))
        self._count_events()
        if is_due:
            self.walked_at = self._read_at
        self._forget()
        self._say()

    def _was_listed(self, one: Known, at: datetime) -> bool:
        return self._server.dialect == "glitchtip" or one.was_listed(at)

    def _landed_before(self) -> dict[str, Known]:
        """What an earlier attempt of this extract landed."""
        windows = self._extract.windows("issues")
        lines = chain.from_iterable(self._extract.read("issues", key) for key in windows)
        found = (envelope.decode_as(_LANDED, line) for line in lines)
        return {one.id: one.known for one in found if one}

    def _asked_for(self, is_due: bool) -> list[str]:
        """Known issues that no list shows, though it should: each is asked for by its id."""
        missing = {id: one for id, one in self.known.items() if id not in self._lists.rows}
        wanted = [id for id, one in missing.items() if not one.is_open and self._was_listed(one, self._read_at)]
        week_ago = (self._read_at - WEEK).timestamp()
        if is_due:
            wanted += [id for id, one in missing.items() if one.is_open and one.asked <= week_ago]
        if not self._lists.rows and len(wanted) >= SUSPICIOUS_DELETIONS:
            self.counted["audit_answers_not_believed"] += 1
            return []
        hidden = Counter(self.known[id].project for id in wanted if not self._projects.sees(self.known[id].project))
        if hidden:
            self._extract.facts["out_of_sight"] = dict(sorted(hidden.items()))
        seen = [id for id in wanted if self._projects.sees(self.known[id].project)]
        return sorted(seen, key=lambda id: (self.known[id].asked, id))[: self._options.audit_requests]

    # -- one issue after the other --------------------------------------------------------------------------------

    def _in_files(self, whole: list[str], light: list[str], asked: list[str]) -> Iterator[Task]:
        first = len(self._extract.windows("issues"))
        jobs = [*((id, True) for id in whole), *((id, False) for id in light), *((id, True) for id in asked)]
        if self._lists.unreadable and not self._extract.has("issues", "unreadable"):
            yield Task("issues", self._land_unreadable)
        for start in range(0, len(jobs), PER_FILE):
            yield Task("issues", partial(self._land, f"issues {first + start}", jobs[start : start + PER_FILE]))

    def _land_unreadable(self) -> list[Task]:
        self._extract.land("issues", "unreadable", self._lists.unreadable)  # the quarantine tells of them
        return []

    def _land(self, key: str, part: Sequence[tuple[str, bool]]) -> list[Task]:
        """Land some issues. Their lines come last: where one is, the history is there too."""
        lines = _Lines()
        for id, is_whole in part:
            self._one(id, is_whole, lines)
        rows = {
            "issue_activities": lines.issue_activities,
            "issue_counts": lines.issue_counts,
            TOMBSTONES: lines.tombstones,
        }
        for stream, found in rows.items():
            if found:
                self._extract.land(stream, key, found)
        self._extract.land("issues", key, lines.issues)
        return []

    def _one(self, id: str, is_whole: bool, lines: _Lines) -> None:
        row, has_history = self._lists.rows.get(id), self._server.activity
        issue = row
        if is_whole and (has_history or row is None):
            try:
                shown = self._details.issue(id)
            except HttpRefused as error:
                if error.status != 403:
                    raise
                return  # it exists, and this token may not see it
            if shown is None or shown.name != id:
                self._bury(id, lines, is_merged=shown is not None)
            if shown is None:
                return
            if shown.name != id:  # merged into another one, which has its history now
                if shown.name in self._lists.rows and shown.state() == self._lists.rows[shown.name].state():
                    self._histories(shown, lines)
                    return
                id, row = shown.name, self._lists.rows.get(shown.name)
            issue = _both(row, shown)
        if issue is None:
            return
        known = self._known_as(row, issue)
        same = self.known.get(id)
        with self._lock:
            self.known[id] = known
        if row is None and same and same.digest == known.digest:
            return  # asked for by its id, and as it was
        before = self._before.issues.get(id)
        more = {
            "known": known,
            "environment": self._options.error_environments[0] if len(self._options.error_environments) == 1 else None,
            **self._tags(id, is_whole),
        }
        is_own = (is_whole and has_history) or self._server.dialect == "glitchtip"
        line = issue_line(issue, self._read_at, self._last_seen_so(before), is_whole=is_own, more=more)
        lines.issues.append(line)
        self._histories(issue, lines, with_comments=is_whole)
        since = self._before.read_at if before else None
        days = issue.points("30d") or self._lists.days.get(id, [])
        for minutes, points in ((HOURS, issue.points("24h")), (DAYS_BACK, days)):
            if fresh := unread(points, minutes, since):
                lines.issue_counts.append(counts_line(id, self._read_at, minutes, fresh))

    def _histories(self, issue: Issue, lines: _Lines, with_comments: bool = False) -> None:
        entries = issue.activities()
        if with_comments and not self._server.activity and issue.numComments:
            entries = self._details.comments(issue.name)
        if len(entries) >= MOST_ACTIVITIES and issue.name not in self._before.issues:
            with self._lock:
                self.counted[HISTORIES_CUT] += 1
        lines.issue_activities += [activity_line(issue.name, self._read_at, entry) for entry in entries]

    def _known_as(self, row: Issue | None, issue: Issue) -> Known:
        """What the next pull compares with: the list, whose rows differ in details from an issue that is shown alone."""
        compared, seen = row or issue, issue.last_seen
        return Known(
            state=compared.state(),
            digest=compared.digest(),
            status=issue.status if isinstance(issue.status, str) else "",
            project=issue.project_slug,
            last_seen=int(seen.timestamp()) if seen else 0,
            asked=int(self._read_at.timestamp()) if row is None else 0,
        )

    def _bury(self, id: str, lines: _Lines, *, is_merged: bool) -> None:
        lines.tombstones.append(tombstone("issues", id, self._read_at))
        with self._lock:
            self.counted[ISSUES_MERGED if is_merged else "issues_deleted_at_source"] += 1
            self.known.pop(id, None)

    def _tags(self, id: str, is_whole: bool) -> dict[str, str | None]:
        """The values of the tags that name service and team: empty where an issue has none, None where it was not looked at."""
        wanted = {"service": self._options.service_tag, "team": self._options.team_tag}
        if not is_whole:
            return dict.fromkeys(wanted)
        return {name: (self._details.tag(id, key) or "") if key else "" for name, key in wanted.items()}

    def _last_seen_so(self, before: Known | None) -> datetime | None:
        """When an issue was last known to be in the state that the last pull left it in."""
        at = self._before.read_at
        if before is None or at is None:
            return None
        if self._was_listed(before, at):
            return at
        return datetime.fromtimestamp(before.asked, UTC) if before.asked else None

    # -- all of them --------------------------------------------------------------------------------------------

    def _count_events(self) -> None:
        """Counts of a server that has a list of its own for them, of issues with new events."""
        if not self._server.issues_stats or not self._lists.active:
            return
        key = f"stats {len(self._extract.windows('issue_counts'))}"

        def lines() -> Iterator[bytes]:
            for id, minutes, points in self._details.counts(sorted(self._lists.active), self._read_at):
                since = self._before.read_at if id in self._before.issues else None
                if fresh := unread(points, minutes, since):
                    yield counts_line(id, self._read_at, minutes, fresh)

        def work() -> list[Task]:
            self._extract.land("issue_counts", key, lines())
            return []

        self._runner.run([Task("issue_counts", work)])

    def _forget(self) -> None:
        """Issues that were resolved or archived and left the lists for their age are not compared any more."""
        for id, one in list(self.known.items()):
            if id not in self._lists.rows and not one.is_open and not self._was_listed(one, self._read_at):
                del self.known[id]

    def _say(self) -> None:
        self.counted[FILTERS_IGNORED] += len(self._lists.ignored)
        if not self._server.activity:
            self.counted[NO_RESOLVE_TIMES] += len(self.known)
        oldest = self._read_at - timedelta(days=DAYS)
        wanted = self._since or self._plan.since
        if self.known and self._server.dialect == "sentry" and wanted < oldest - DAY:
            self.counted[OLDER_THAN_GIVEN] += (oldest - wanted).days


def _has_history(before: Known, row: Issue) -> bool:
    """Whether something happened to an issue that its history tells. One that is resolved, as it was, and has new events may have
    come back in between."""
    seen = row.last_seen
    is_back = row.status == "resolved" and seen is not None and int(seen.timestamp()) > before.last_seen
    return is_back or before.state != row.state()


def _both(row: Issue | None, shown: Issue) -> Issue:
    """An issue as it is shown alone, with what only its list has."""
    if row is None:
        return shown
    names = ("lifetime", "isUnhandled", "annotations", "integrationIssues", "sentryAppIssues")
    only = {name: getattr(row, name) for name in names if getattr(shown, name) is None}
    return msgspec.structs.replace(shown, **only)
