"""Jira Cloud and Data Center pulled over HTTP from their simulators: all issues, each with its whole changelog."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import landed_rows, settings_for, slow

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.jira import Flavour, JiraSimulator
from mttr_pipeline.demo.jira.changelogs import changelog_page
from mttr_pipeline.demo.kit.wire import Request, Response, answer
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.jira.issues import IssuePull
from mttr_pipeline.sources.jira.jql import combined, without_order
from mttr_pipeline.sources.pulling import build_source, pull

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
FLAVOURS: list[Flavour] = ["cloud", "dc"]


class Site:
    """A Jira on a server and pulls of it into one landing zone."""

    def __init__(self, server: VendorServer, folder: Path, jql: str | None, **options: Any) -> None:
        self.server = server
        self.name = next(iter(server.simulators))
        self.landing = Landing(folder / "landing")
        env = {**server.env(self.name), **({"JIRA_JQL": jql} if jql else {})}
        configured = {"sources": {"jira": {"max_wait_minutes": 1, **options}}}
        self.settings = settings_for(folder, configured, env)

    def pull(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.clear_log()
        source = build_source("jira", self.settings)
        try:
            return pull(source, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            source.close()

    def rows(self, manifest: Manifest, stream: str) -> list[Any]:
        return landed_rows(self.landing, manifest, stream)

    def histories(self, manifest: Manifest) -> dict[str, set[str]]:
        """Ids of the change histories by issue, from wherever they were landed."""
        found: dict[str, set[str]] = {}
        for issue in self.rows(manifest, "issues"):
            for history in (issue.get("changelog") or {}).get("histories", []):
                found.setdefault(issue["id"], set()).add(history["id"])
        for line in self.rows(manifest, "changelogs"):
            found.setdefault(line["issueId"], set()).update(history["id"] for history in line["changeHistories"])
        return found


@contextmanager
def site(simulator: JiraSimulator, folder: Path, jql: str | None = None, **options: Any):  # type: ignore[no-untyped-def]
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        yield Site(server, folder, jql, **options)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def issue(number: int, created: datetime, changes: int = 1, updated: datetime | None = None) -> dict[str, Any]:
    histories = [
        {
            "id": str(number * 1000 + n),
            "created": stamp(created + n * timedelta(minutes=1)),
            "items": [{"field": "status", "from": "1", "fromString": "Open", "to": "3", "toString": "In Progress"}],
        }
        for n in range(changes)
    ]
    fields = {
        "summary": f"Issue {number}",
        "created": stamp(created),
        "updated": stamp(updated or created),
        "issuetype": {"id": "10001", "name": "Incident"},
        "project": {"id": "1", "key": "OPS", "name": "Operations"},
        "status": {"id": "3", "name": "In Progress"},
    }
    changelog = {"startAt": 0, "maxResults": changes, "total": changes, "histories": histories}
    return {"id": str(number), "key": f"OPS-{number}", "fields": fields, "changelog": changelog}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=NOW)


# -- complete ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_first_pull_has_every_incident_with_its_whole_history(
    world: World, tmp_path: Path, flavour: Flavour
) -> None:
    with site(JiraSimulator.from_world(world, flavour), tmp_path) as jira_site:
        book = jira_site.server.simulators[jira_site.name]._book_at(NOW)
        incidents = {
            row["id"]: row
            for row in book.issues
            if row["fields"]["issuetype"]["name"].lower() in ("incident", "[system] incident")
        }
        manifest = jira_site.pull()
        assert {row["id"] for row in jira_site.rows(manifest, "issues")} == set(incidents)
        wanted = {name: {h["id"] for h in row["changelog"]["histories"]} for name, row in incidents.items()}
        assert jira_site.histories(manifest) == {name: ids for name, ids in wanted.items() if ids}
        assert len(jira_site.rows(manifest, "fields")) == len(book.fields)
        assert len(jira_site.rows(manifest, "statuses")) == len(book.statuses)
        assert len(jira_site.server.log) < 15


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_long_changelogs_are_whole(tmp_path: Path, flavour: Flavour) -> None:
    """Cloud embeds the newest forty at most and splits the bulk answer over pages."""
    rows = [issue(n, NOW - 9 * DAY, changes=700) for n in (1, 2, 3)]
    with site(JiraSimulator.from_issues(rows, flavour), tmp_path, "project = OPS") as jira_site:
        manifest = jira_site.pull()
        assert {name: len(ids) for name, ids in jira_site.histories(manifest).items()} == {"1": 700, "2": 700, "3": 700}


class Cutting(JiraSimulator):
    """A Data Center that embeds only part of the changelog in a search; `single` whether the single read has it all,
    `paged` whether there is a changelog resource."""

    single = True
    paged = True

    def handle(self, request: Request, now: datetime) -> Response:
        if request.path.endswith("/changelog") and self.paged:
            return changelog_page(request, self._book_at(now).by_name[request.path.split("/")[-2]])
        response = super().handle(request, now)
        if request.path.endswith("/search") or ("/issue/" in request.path and not self.single):
            body = msgspec.json.decode(response.body)
            for row in body.get("issues", [body]):
                if "changelog" in row:
                    row["changelog"]["histories"] = row["changelog"]["histories"][:20]
            response.body = msgspec.json.encode(body)
        return response


@pytest.mark.parametrize(("single", "paged"), [(True, False), (False, True)])
def test_a_data_center_that_cuts_changelogs_is_asked_for_the_rest(tmp_path: Path, single: bool, paged: bool) -> None:
    rows = [issue(1, NOW - 9 * DAY, changes=230), issue(2, NOW - 8 * DAY, changes=3)]
    simulator = Cutting(JiraSimulator.from_issues(rows, "dc")._book_at, "dc")
    simulator.single, simulator.paged = single, paged
    with site(simulator, tmp_path, "project = OPS") as jira_site:
        manifest = jira_site.pull()
        assert {name: len(ids) for name, ids in jira_site.histories(manifest).items()} == {"1": 230, "2": 3}
        assert len(jira_site.rows(manifest, "changelogs")) == 1


def test_a_changelog_that_stays_cut_stops_the_source(tmp_path: Path) -> None:
    simulator = Cutting(JiraSimulator.from_issues([issue(1, NOW - DAY, changes=50)], "dc")._book_at, "dc")
    simulator.single = simulator.paged = False
    with (
        site(simulator, tmp_path, "project = OPS") as jira_site,
        pytest.raises(PermanentError, match=r"truncates the changelog of issue 1,.*JIRA_JQL"),
    ):
        jira_site.pull()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_many_issues_are_shared_among_windows_and_few_are_not(
    tmp_path: Path, flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IssuePull, "issues_per_window", 50)
    rows = [issue(n, NOW - 100 * DAY + n * timedelta(hours=2)) for n in range(1, 301)]
    with site(JiraSimulator.from_issues(rows, flavour), tmp_path, "project = OPS") as jira_site:
        manifest = jira_site.pull(since=datetime(2009, 1, 1, tzinfo=UTC))
        assert sorted(int(row["id"]) for row in jira_site.rows(manifest, "issues")) == list(range(1, 301))
        assert len(jira_site.server.log) < 120


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_search_from_2009_over_few_issues_costs_few_requests(tmp_path: Path, flavour: Flavour) -> None:
    rows = [issue(n, datetime(2009, 6, 1, tzinfo=UTC) + n * 10 * DAY) for n in range(1, 500)]
    with site(JiraSimulator.from_issues(rows, flavour), tmp_path, "project = OPS") as jira_site:
        assert jira_site.pull(since=datetime(2009, 1, 1, tzinfo=UTC)).records > 499
        assert len(jira_site.server.log) < 20


# -- which issues ------------------------------------------------------------------------------------------------------


def test_without_incident_types_the_remedy_is_named(tmp_path: Path) -> None:
    rows = [issue(1, NOW - DAY)]
    rows[0]["fields"]["issuetype"]["name"] = "Bug"
    with site(JiraSimulator.from_issues(rows), tmp_path) as jira_site, pytest.raises(PermanentError, match="JIRA_JQL"):
        jira_site.pull()


def test_a_query_of_the_user_keeps_its_meaning(tmp_path: Path) -> None:
    """OR must not swallow the time bounds, and an ORDER BY must not stand in the middle."""
    rows = [issue(n, NOW - n * 400 * DAY) for n in (1, 2)]
    jql = "project = OPS OR key = OPS-1 ORDER BY updated DESC"
    with site(JiraSimulator.from_issues(rows), tmp_path, jql) as jira_site:
        assert [row["id"] for row in jira_site.rows(jira_site.pull(), "issues")] == ["1"]


def test_a_query_that_names_an_unknown_project_says_what_to_check(tmp_path: Path) -> None:
    with (
        site(JiraSimulator.from_issues([issue(1, NOW - DAY)]), tmp_path, "project = NOPE") as jira_site,
        pytest.raises(PermanentError, match=r"status 400 .*NOPE.*check JIRA_JQL"),
    ):
        jira_site.pull()


@pytest.mark.parametrize(
    ("jql", "bare"),
    [
        ("project = A order by created", "project = A"),
        ("ORDER  BY x", ""),
        ('summary ~ "order by me" ORDER BY x', 'summary ~ "order by me"'),
        (r'summary ~ "a \" order by b"', r'summary ~ "a \" order by b"'),
        ("summary ~ 'order by' ", "summary ~ 'order by'"),
        ("reorder by", "reorder by"),
    ],
)
def test_the_order_of_the_user_is_taken_off(jql: str, bare: str) -> None:
    assert without_order(jql) == bare


@given(st.text(alphabet="abORDEY \"'\\", max_size=30))
def test_any_query_is_one_parenthesis(user: str) -> None:
    text = combined(user, ["created >= 1"], ordered=False)
    assert text.endswith("created >= 1") and (text.startswith("(") or text == "created >= 1")


# -- current -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_second_night_finds_what_changed_however_old(tmp_path: Path, flavour: Flavour) -> None:
    rows = [issue(n, NOW - n * 300 * DAY) for n in range(1, 6)]  # some older than the 730 days of the first pull
    simulator = JiraSimulator.from_issues(rows, flavour)
    with site(simulator, tmp_path, "project = OPS") as jira_site:
        first = jira_site.pull(NOW)
        assert {row["id"] for row in jira_site.rows(first, "issues")} == {"1", "2"}
        moved = [issue(n, NOW - n * 300 * DAY, 2, NOW + timedelta(hours=5)) for n in (2, 5)]
        grown = JiraSimulator.from_issues([rows[0], moved[0], rows[2], rows[3], moved[1]], flavour)
        simulator._book_at = grown._book_at
        second = jira_site.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental"
        assert {row["id"] for row in jira_site.rows(second, "issues")} == {"2", "5"}
        assert {name: len(ids) for name, ids in jira_site.histories(second).items()} == {"2": 2, "5": 2}
        assert len(jira_site.server.log) < 10


def test_a_change_that_was_indexed_late_is_not_lost(tmp_path: Path) -> None:
    """The mark lags behind the run, so what the index learned after the search is found the next time."""
    rows = [issue(1, NOW - 5 * DAY)]
    simulator = JiraSimulator.from_issues(rows)
    with site(simulator, tmp_path, "project = OPS") as jira_site:
        jira_site.pull(NOW)
        late = issue(1, NOW - 5 * DAY, 2, NOW - timedelta(minutes=20))  # before the run, unknown to its search
        simulator._book_at = JiraSimulator.from_issues([late])._book_at
        second = jira_site.pull(NOW + DAY)
        assert jira_site.histories(second) == {"1": {"1000", "1001"}}


def test_another_query_reads_the_history_again(tmp_path: Path) -> None:
    rows = [issue(1, NOW - 5 * DAY)]
    with site(JiraSimulator.from_issues(rows), tmp_path, "project = OPS") as jira_site:
        jira_site.pull(NOW)
        other = Site(jira_site.server, tmp_path, "project = OPS AND key = OPS-1")
        assert other.pull(NOW).plan["mode"] == "backfill"


# -- faults ------------------------------------------------------------------------------------------------------------


def test_the_removed_search_names_the_change(tmp_path: Path) -> None:
    """Data Center credentials against a Cloud site: the old search answers 410 there."""
    with site(JiraSimulator.from_issues([issue(1, NOW - DAY)], "dc"), tmp_path, "project = OPS") as jira_site:
        gone = b'{"errorMessages":["The requested API has been removed. See CHANGE-2046"],"errors":{}}'
        simulator = jira_site.server.simulators[jira_site.name]
        plain = simulator.handle
        simulator.handle = lambda request, now: (  # type: ignore[method-assign]
            Response(410, gone) if request.path.endswith("/search") else plain(request, now)
        )
        with pytest.raises(PermanentError, match="old search"):
            jira_site.pull()


@pytest.mark.parametrize(
    ("response", "remedy"),
    [
        (Response(401, b'{"message": "scope does not match"}'), "lacks a scope.*read:jira-work and read:jira-user"),
        (
            Response(401, b""),
            r"token with scopes \(read:jira-work.*JIRA_URL=https://api.atlassian.com/ex/jira/<cloud id>",
        ),
        (Response(403, b"", {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}), "CAPTCHA"),
        (Response(403, b"", {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=x"}), "CAPTCHA"),
    ],
)
def test_refusals_that_look_like_wrong_credentials_name_their_cause(
    tmp_path: Path, response: Response, remedy: str
) -> None:
    with site(JiraSimulator.from_issues([issue(1, NOW - DAY)]), tmp_path, "project = OPS") as jira_site:
        jira_site.server.simulators[jira_site.name].handle = lambda request, now: response  # type: ignore[method-assign]
        with pytest.raises(PermanentError, match=remedy):
            jira_site.pull()


class Odd(JiraSimulator):
    """A Cloud search whose paging misbehaves."""

    mode = ""

    def handle(self, request: Request, now: datetime) -> Response:
        if request.path.endswith("/search/jql"):
            token = request.json().get("nextPageToken")
            if self.mode == "loop":
                return answer({"issues": [issue(1, NOW - DAY)], "nextPageToken": "same"})
            if self.mode == "empty" and token is None:
                return answer({"issues": [], "nextPageToken": "t1"})
            if self.mode == "empty":
                return answer({"issues": [issue(1, NOW - DAY)]})
        return super().handle(request, now)


def test_a_page_token_that_repeats_is_an_error(tmp_path: Path) -> None:
    simulator = Odd(JiraSimulator.from_issues([issue(1, NOW - DAY)])._book_at)
    simulator.mode = "loop"
    with site(simulator, tmp_path, "project = OPS") as jira_site:
        with pytest.raises(PermanentError, match="does not end"):
            jira_site.pull()
        assert len(jira_site.server.log) < 15


def test_an_empty_page_with_a_token_goes_on(tmp_path: Path) -> None:
    simulator = Odd(JiraSimulator.from_issues([issue(1, NOW - DAY)])._book_at)
    simulator.mode = "empty"
    with site(simulator, tmp_path, "project = OPS") as jira_site:
        assert len(jira_site.rows(jira_site.pull(), "issues")) == 1


class Hiding(JiraSimulator):
    """Refuses a bulk changelog that names an issue which is gone."""

    def handle(self, request: Request, now: datetime) -> Response:
        if request.path.endswith("/changelog/bulkfetch") and "3" in request.json()["issueIdsOrKeys"]:
            return Response(404, self.error(404, "Issue 3 does not exist"))
        return super().handle(request, now)


def test_an_issue_deleted_before_its_changelog_is_read_spoils_no_batch(tmp_path: Path) -> None:
    simulator = Hiding(JiraSimulator.from_issues([issue(n, NOW - n * DAY) for n in range(1, 6)])._book_at)
    with site(simulator, tmp_path, "project = OPS") as jira_site:
        manifest = jira_site.pull()
        assert set(jira_site.histories(manifest)) == {"1", "2", "4", "5"}
        assert manifest.facts["counts"] == {"deleted_between_list_and_detail": 1, "no_post_mortem_type": 1}


@pytest.mark.parametrize("flavour", [FLAVOURS[0], *slow(*FLAVOURS[1:])])
def test_faults_change_nothing_in_what_is_landed(tmp_path: Path, flavour: Flavour) -> None:
    rows = [issue(n, NOW - n * DAY) for n in range(1, 260)]
    with site(JiraSimulator.from_issues(rows, flavour), tmp_path, "project = OPS") as jira_site:
        jira_site.server.set_faults(
            (Rule("reset", share=0.3), Rule("status", share=0.3, argument=503), Rule("truncated_json", share=0.3))
        )
        manifest = jira_site.pull()
        assert sorted(int(row["id"]) for row in jira_site.rows(manifest, "issues")) == list(range(1, 260))
        assert len(jira_site.histories(manifest)) == 259


def test_wrong_credentials_name_the_variables(tmp_path: Path) -> None:
    with site(JiraSimulator.from_issues([issue(1, NOW - DAY)]), tmp_path, "project = OPS") as jira_site:
        jira_site.server.set_faults("unauthorized")
        with pytest.raises(PermanentError, match="check JIRA_EMAIL and JIRA_API_TOKEN"):
            jira_site.pull()


@pytest.mark.parametrize(
    ("response", "told", "untold"),
    [
        (
            Response(200, b'{"errorMessages": ["Field \'squad\' does not exist."], "errors": {}}'),
            r"an error message instead of data \(Field 'squad' does not exist\.\); correct what the message names",
            "proxy",
        ),
        (
            Response(200, b"", {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}),
            "an empty response; the site did not accept the login: check JIRA_EMAIL and JIRA_API_TOKEN",
            "JIRA_URL",
        ),
        (
            Response(200, b"", {"X-Seraph-LoginReason": "OK"}),
            "an empty response; check JIRA_URL and any proxy",
            "login",
        ),
        (Response(200, b'{"data": []}'), "unexpected JSON.*; check JIRA_URL and any proxy", "error message"),
    ],
)
def test_a_success_without_data_tells_what_the_site_says(
    tmp_path: Path, response: Response, told: str, untold: str
) -> None:
    """The site's own sentence, or the header about the login, was lost, and the address was blamed."""
    with site(JiraSimulator.from_issues([issue(1, NOW - DAY)]), tmp_path, "project = OPS") as jira_site:
        simulator = jira_site.server.simulators[jira_site.name]
        plain = simulator.handle
        simulator.handle = lambda request, now: (  # type: ignore[method-assign]
            response if "/search/jql" in request.path else plain(request, now)
        )
        with pytest.raises(TransientError, match=told) as caught:
            jira_site.pull()
        assert untold not in str(caught.value)


def test_a_login_page_instead_of_json_is_told(tmp_path: Path) -> None:
    with site(JiraSimulator.from_issues([issue(1, NOW - DAY)]), tmp_path, "project = OPS") as jira_site:
        jira_site.server.set_faults("always_html")
        with pytest.raises(TransientError, match=r"web page instead of JSON.*JIRA_URL"):
            jira_site.pull()


# -- remote links --------------------------------------------------------------------------------------------------------------


def linked(number: int, pages: tuple[str, ...], *, text: str = "", is_told: bool = False) -> dict[str, Any]:
    row = issue(number, NOW - 5 * DAY)
    row["fields"]["description"] = text
    row["remoteLinks"] = [{"id": n, "object": {"url": page}} for n, page in enumerate(pages)]
    if is_told:
        item = {
            "field": "RemoteIssueLink",
            "from": None,
            "fromString": None,
            "to": "1",
            "toString": "This issue links to",
        }
        row["changelog"]["histories"][0]["items"].append(item)
    return row


@pytest.mark.parametrize(
    ("flavour", "which"), [("cloud", "all"), ("dc", "all"), ("cloud", "told"), ("cloud", "changed")]
)
def test_remote_links_are_read_of_issues_that_may_have_one(tmp_path: Path, flavour: Flavour, which: str) -> None:
    """Of those whose history tells of one, although a text names a page, and of those that change and name none; of every issue, or
    only of the former, where that is set: then a first pull and later ones find the same. What changed is read again, and an issue
    without links any more is landed as such."""
    page = "https://acme.pager.example/incidents/Q1ABC"
    rows = [
        linked(1, (page,)),
        linked(2, (page,), text=f"see {page}"),
        linked(3, (page,), text=f"see {page}", is_told=True),
        linked(4, ()),
    ]
    simulator = JiraSimulator.from_issues(rows, flavour)
    with site(simulator, tmp_path, "project = OPS", remote_links=which) as jira_site:
        first = jira_site.rows(jira_site.pull(), "remote_links")
        found = {row["issueId"]: len(row["remoteLinks"]) for row in first}
        assert found == {"all": {"1": 1, "2": 1, "3": 1, "4": 0}, "told": {"3": 1}, "changed": {"3": 1}}[which]
        changed = [linked(1, (page,)), linked(2, (page,)), linked(3, (), is_told=True)]
        for row in changed:
            row["fields"]["updated"] = stamp(NOW + timedelta(hours=1))
        simulator._book_at = JiraSimulator.from_issues([*changed, rows[3]], flavour)._book_at
        second = jira_site.pull(NOW + DAY)
        found |= {row["issueId"]: len(row["remoteLinks"]) for row in jira_site.rows(second, "remote_links")}
        assert found == {
            "all": {"1": 1, "2": 1, "3": 0, "4": 0}, "told": {"3": 0}, "changed": {"1": 1, "2": 1, "3": 0}
        }[which]  # fmt: skip
    with site(simulator, tmp_path / "fresh", "project = OPS", remote_links=which) as jira_site:
        at_once = jira_site.rows(jira_site.pull(NOW + DAY), "remote_links")
        assert which == "changed" or {row["issueId"]: len(row["remoteLinks"]) for row in at_once} == found


@pytest.mark.parametrize("which", ["all", "none"])
def test_a_site_without_remote_links_is_asked_once(tmp_path: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = JiraSimulator.from_issues([linked(1, ()), linked(2, ())])
    asked, answers = [], simulator.handle

    def refused(request: Request, now: datetime) -> Response:
        if not request.path.endswith("/remotelink"):
            return answers(request, now)
        asked.append(request.path)
        return Response(403, simulator.error(403, "Issue linking is currently disabled."))

    monkeypatch.setattr(simulator, "handle", refused)
    with site(simulator, tmp_path, "project = OPS", remote_links=which) as jira_site:
        manifest = jira_site.pull()
    assert len(asked) == (which == "all")
    assert manifest.facts["counts"].get("remote_links_not_readable", 0) == len(asked)
    assert len(jira_site.rows(manifest, "issues")) == 2
