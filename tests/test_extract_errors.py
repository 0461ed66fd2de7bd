"""Errors of Sentry and GlitchTip pulled over HTTP from their simulator: what is resolved when, told by servers that do not say it,
and with how few requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sentry_cases import DAY, HOUR, MINUTE, NOW, Organization, counts, plain, site
from support import slow

from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.demo.sentry.truth import Act, Archived, Episode, Sessions, per_hour
from mttr_pipeline.sources.pulling import build_source
from mttr_pipeline.sources.sentry import SOURCE
from mttr_pipeline.sources.sentry.pages import following
from mttr_pipeline.warehouse.conformance import odd_record_problems

HOW = "external_id, event_type, happened_at, not_before, provenance, actor_kind, release"
QUIET = {"error_days_older_than_given": 640}


# -- resolves ----------------------------------------------------------------------------------------------------------


def test_a_person_resolves_an_issue(tmp_path: Path) -> None:
    here = Organization()
    at = NOW - 5 * DAY
    here.issue(at, Episode(at, at + 3 * HOUR, by="Ana Diaz"))
    with site(here, tmp_path) as sentry:
        assert counts(sentry.pull()) == QUIET
        assert sentry.events(HOW + ", actor") == [
            ("1", "resolved", plain(at + 3 * HOUR), None, "api", "human", None, "Ana Diaz")
        ]
        assert "example.com" not in str(sentry.rows(sentry.landing.manifests("sentry")[0], "issue_activities"))


def test_resolved_in_the_next_release_comes_true_when_that_is_live(tmp_path: Path) -> None:
    """Trap: it counts as resolved at once, and users still have the error. While the release is not out, nothing is resolved."""
    here = Organization()
    at, claimed, live = NOW - 5 * DAY, NOW - 4 * DAY, NOW + 10 * HOUR
    episode = Episode(at, live - HOUR, "next_release", "Ana", "checkout@2.0", claimed)
    here.issue(at, episode, until=live)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.events() == []
        assert sentry.table("error_issues", "status, resolved_in_release") == [("resolved", None)]
        here.release("checkout@2.0", live - HOUR, live)
        sentry.pull(NOW + DAY)
        (event,) = sentry.events(HOW)
        assert event == ("1", "resolved", plain(live), None, "derived", "human", "checkout@2.0")
        assert sentry.table("error_issues", "status, resolved_in_release") == [("resolved", "checkout@2.0")]


def test_a_release_without_a_deploy_has_its_date_only(tmp_path: Path) -> None:
    """It is asked for by its version, once; a version is one segment of the path. A release without a date is asked for weekly."""
    here = Organization()
    at, released = NOW - 5 * DAY, NOW - 3 * DAY
    here.release("a/b@1+2", released - DAY, dateReleased=released.isoformat())
    here.release("b@3", released)
    here.issue(at, Episode(at, released, "in_release", "Ana", "a/b@1+2", claimed=released - HOUR))
    here.issue(at, Episode(at, released, "in_release", "Ana", "b@3", claimed=released - HOUR))
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert len(sentry.requests("a%2Fb%401%2B2")) == len(sentry.requests("b%403")) == 1
        assert [(row[0], row[2], row[4]) for row in sentry.events(HOW)] == [
            ("1", plain(released), "derived"),
            ("2", plain(released), "derived"),
        ]
        for day in range(1, 9):
            sentry.pull(NOW + day * DAY)
            assert len(sentry.requests("b%403")) == (day == 7), day
            assert sentry.requests("a%2Fb") == []


def test_a_fix_by_a_commit_leaves_no_entry(tmp_path: Path) -> None:
    """Trap: the newest entry is the pull request of days before, which resolves nothing. The deploy of the release does."""
    here = Organization()
    at, live = NOW - 5 * DAY, NOW + 3 * HOUR
    here.issue(at, Episode(at, live - HOUR, "commit", "Ana", "checkout@2.0", NOW - 4 * DAY), until=live)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.events() == []
        here.release("checkout@2.0", live - HOUR, live)
        sentry.pull(NOW + DAY)
        assert sentry.events(HOW) == [("1", "resolved", plain(live), None, "derived", None, "checkout@2.0")]
        assert len(sentry.requests("/issues/1/")) == 1, "no event showed it: the list of resolved ones did"


def test_a_fix_by_a_release_that_nobody_knows_is_an_interval(tmp_path: Path) -> None:
    here = Organization()
    at = NOW - 5 * DAY
    here.issue(at, Episode(at, NOW + HOUR, "commit", "Ana", "gone@1", NOW - DAY), until=NOW)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        sentry.pull(NOW + DAY)
        assert sentry.events(HOW) == [("1", "resolved", plain(NOW + DAY), plain(NOW), "derived", None, "1")]


def test_age_resolves_before_it_is_written_down(tmp_path: Path) -> None:
    """Trap: status and autoResolved come first, the entry an hour later. Then the entry counts, and it is a timeout."""
    here = Organization()
    at, over = NOW - 40 * DAY, NOW + DAY - 30 * MINUTE
    here.issue(at, Episode(at, over, "age"), until=at + HOUR)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        sentry.pull(NOW + DAY)
        assert sentry.events(HOW) == [("1", "resolved", plain(NOW + DAY), plain(NOW), "derived", "timeout", None)]
        here.errors.issues[0].acts.append(Act("note", NOW + DAY, "Ana", {"text": "gone"}))
        sentry.pull(NOW + 2 * DAY)
        assert sentry.events(HOW) == [("1", "resolved", plain(over + HOUR), None, "api", "timeout", None)]


def test_a_regression_begins_another_episode(tmp_path: Path) -> None:
    here = Organization()
    at, back = NOW - 5 * DAY, NOW + 2 * HOUR
    here.issue(at, Episode(at, at + HOUR, by="Ana"), Episode(back, back + HOUR, by="Ben"))
    with site(here, tmp_path) as sentry:
        sentry.pull()
        sentry.pull(NOW + DAY)
        seconds = timedelta(seconds=4)
        assert set(sentry.events()) == {
            ("1", "regression", plain(back + seconds)),
            ("1", "resolved", plain(at + HOUR)),
            ("1", "resolved", plain(back + HOUR)),
        }


def test_a_claim_that_an_issue_comes_back_before_resolves_nothing(tmp_path: Path) -> None:
    here = Organization()
    at, live = NOW - 5 * DAY, NOW - DAY
    here.release("checkout@2.0", live, live)
    here.issue(
        at,
        Episode(at, live, "in_release", "Ana", "checkout@2.0", at + HOUR),
        Episode(at + 2 * HOUR, None, reopened_by="Ben"),
    )
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.events() == [("1", "reopened", plain(at + 2 * HOUR))]


def test_archived_is_not_resolved(tmp_path: Path) -> None:
    """One that escalates says so. One whose time is over is shown as unresolved, without a word."""
    here = Organization()
    at = NOW - 5 * DAY
    here.issue(at, archived=[Archived(at + HOUR, NOW + HOUR, "Ana")], until=NOW + HOUR)
    here.issue(at, archived=[Archived(at + HOUR, NOW + HOUR, "Ana", escalates=False)], until=at + HOUR)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.table("error_issues", "status") == [("archived",)] * 2
        sentry.pull(NOW + DAY)
        assert sentry.events(HOW.replace(", release", "")) == [
            ("1", "archived", plain(at + HOUR), None, "api", "human"),
            ("1", "escalated", plain(NOW + HOUR), None, "api", "integration"),
            ("2", "archived", plain(at + HOUR), None, "api", "human"),
            ("2", "reopened", plain(NOW + DAY), plain(NOW), "derived", None),
        ]


def test_who_takes_an_issue(tmp_path: Path) -> None:
    """A rule or a guess of the server assigns in nobody's name: that is no acknowledgement. A person in a chat acknowledges."""
    here = Organization()
    at = NOW - DAY
    by_rule = [
        Act("assigned", at + MINUTE, None, {"integration": name, "assigneeType": "user"})
        for name in ("suspectCommitter", "codeowners", "projectOwnership")
    ]
    here.issue(at, acts=[*by_rule, Act("assigned", at + 2 * MINUTE, "Ana", {"assigneeType": "team"})])
    here.issue(at, acts=[Act("assigned", at + 3 * MINUTE, None, {"integration": "msteams"})])
    here.issue(at, acts=[Act("mark_reviewed", at + 4 * MINUTE, "Ben"), Act("assigned", at + MINUTE)])
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.events("external_id, happened_at, actor, actor_kind") == [
            ("1", plain(at + 2 * MINUTE), "Ana", "human"),
            ("2", plain(at + 3 * MINUTE), "msteams", "human"),
            ("3", plain(at + 4 * MINUTE), "Ben", "human"),
        ]


# -- histories ---------------------------------------------------------------------------------------------------------


def test_ids_of_entries_that_change_between_two_nights_double_nothing(tmp_path: Path) -> None:
    """Trap: the newer store has other ids, and a release that was filled in stays empty there."""
    here = Organization()
    at, live = NOW - 5 * DAY, NOW - 2 * DAY
    here.release("checkout@2.0", live, live)
    here.issue(at, Episode(at, live, "next_release", "Ana", "checkout@2.0", live - DAY))
    with site(here, tmp_path) as sentry:
        sentry.pull()
        first = sentry.table("error_events", "event_id, event_type, happened_at, release")
        here.simulator.traits.is_log = True
        here.errors.issues[0].acts.append(Act("note", NOW + HOUR, "Ana", {"text": "done"}))
        sentry.pull(NOW + DAY)
        second = sentry.table("error_events", "event_id, event_type, happened_at, release")
        assert set(first) <= set(second) and len(second) == len(first) + 1


def test_entries_that_are_cut_off_stay(tmp_path: Path) -> None:
    """Trap: a hundred entries are given, the first ones and that of the first event are cut. Nights together have all."""
    here = Organization()
    at = NOW - 5 * DAY
    issue = here.issue(at, Episode(at, at + HOUR, by="Ana"), Episode(at + 2 * HOUR))
    busy = [Act("assigned", at + 3 * HOUR + n * MINUTE, None, {"integration": "codeowners"}) for n in range(120)]
    with site(here, tmp_path) as sentry:
        sentry.pull()
        issue.acts += busy
        issue.level = "fatal"
        assert counts(sentry.pull(NOW + DAY)) == {}
        assert ("1", "resolved", plain(at + HOUR)) in sentry.events()
        assert sentry.table("error_issues", "first_seen_at") == [(plain(at),)]
    with site(here, tmp_path / "late") as late:
        assert counts(late.pull(NOW + DAY))["error_histories_cut"] == 1
        assert ("1", "resolved", plain(at + HOUR)) not in late.events()


def test_an_issue_that_became_part_of_another_one_counts_once(tmp_path: Path) -> None:
    """Trap: its history, resolves included, then stands in the other one's, in the middle of an open stretch."""
    here = Organization()
    at = NOW - 5 * DAY
    here.issue(at)
    child = here.issue(at + HOUR, Episode(at + HOUR, at + 2 * HOUR, by="Ben"))
    with site(here, tmp_path) as sentry:
        sentry.pull()
        child.merged_into, child.merged_at = 1, NOW + HOUR
        manifest = sentry.pull(NOW + DAY)
        assert counts(manifest) == {"error_issues_merged": 1}
        assert sentry.table("error_issues", "external_id, status") == [("1", "unresolved")]
        assert sentry.events() == []
        assert sentry.table("deletions", "external_id") == [("2",)]


def test_people_get_pseudonyms(tmp_path: Path) -> None:
    """Who did something is a person; a rule and an app are none."""
    here = Organization()
    at = NOW - DAY
    here.issue(
        at, Episode(at, at + HOUR, by="Ana Diaz"), acts=[Act("assigned", at, None, {"integration": "codeowners"})]
    )
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.core("people", "written") == [("Ana Diaz",)]
        assert sentry.core("people", "shown LIKE 'person-________'") == [(True,)]


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_whole_life(tmp_path: Path) -> None:
    """Trap: what stands at the top of a row is of the 90 days that were asked for, and the flag is about the latest event. Counts
    are texts."""
    here = Organization()
    at = NOW - 300 * DAY
    here.issue(
        at,
        events={**per_hour(at, at + HOUR, 5), **per_hour(NOW - HOUR, NOW, 7)},
        users=9,
        unhandled=True,
        flips_at=NOW + HOUR,
    )
    with site(here, tmp_path) as sentry:
        sentry.pull()
        whole = "first_seen_at, events, users, is_unhandled"
        assert sentry.table("error_issues", whole) == [(plain(at), 24, 9, True)]
        here.errors.issues[0].events |= per_hour(NOW + HOUR, NOW + 2 * HOUR, 1)
        sentry.pull(NOW + DAY)
        assert sentry.requests("/issues/1/") == [], "new events alone cost no request of their own"
        assert sentry.table("error_issues", whole) == [(plain(at), 26, 9, True)]


@pytest.mark.parametrize("has_history", [True, False])
def test_a_server_without_lifetime_is_asked_for_one_issue(tmp_path: Path, has_history: bool) -> None:
    here = Organization()
    here.simulator.traits.lifetime = False
    here.simulator.traits.activity = has_history
    at = NOW - 300 * DAY
    here.issue(at, events={**per_hour(at, at, 5), **per_hour(NOW - HOUR, NOW, 7)})
    with site(here, tmp_path) as sentry:
        sentry.pull()
        seen = at if has_history else NOW - HOUR
        assert sentry.table("error_issues", "first_seen_at") == [(plain(seen),)]


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_events_per_day_and_hour(tmp_path: Path, flavour: str) -> None:
    """The last day is not over: it says when it was read. Two nights give what one gives. GlitchTip leaves out days without
    events."""
    here = Organization(flavour=flavour)
    day = NOW.replace(hour=0)
    here.issue(day - 3 * DAY, events={**per_hour(day - 3 * DAY, day - 3 * DAY, 4), **per_hour(day, day + 40 * HOUR, 3)})
    with site(here, tmp_path) as sentry:
        sentry.pull()
        days = {row[0]: row[1:] for row in sentry.table("error_counts", "began_at, minutes, events, read_at")}
        assert days[plain(day)] == (1440, 21, plain(NOW)) or days[plain(day)][0] == 60
        sentry.pull(NOW + DAY)
        rows = sentry.table("error_counts", "minutes, began_at, events, read_at")
        whole = {row[1]: row[2:] for row in rows if row[0] == 1440}
        assert whole[plain(day - 3 * DAY)][0] == 4 and whole[plain(day - 2 * DAY)][0] == 0
        assert whole[plain(day)] == (72, plain(NOW + DAY)) and whole[plain(day + DAY)] == (21, plain(NOW + DAY))
        hours = {row[1]: row[2] for row in rows if row[0] == 60}
        assert set(hours.values()) == {3} and len(hours) == 31, "hours without events have no row"


# -- which issues ------------------------------------------------------------------------------------------------------


def history(here: Organization) -> None:
    """Issues of the last 80 days, most of them over."""
    for n in range(60):
        at = NOW - 80 * DAY + n * DAY
        ends = Episode(at, None if n % 6 == 0 else at + HOUR, by="Ana")
        here.issue(at, ends, project=("checkout", "search")[n % 2])


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_a_quiet_night_costs_a_few_requests(tmp_path: Path, flavour: str) -> None:
    """In proportion to the change: a page of each list, nothing for an issue that is as it was."""
    here = Organization(flavour=flavour)
    history(here)
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert len(sentry.ids(manifest, "issues")) == 60
        second = sentry.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental" and sentry.ids(second, "issues") == []
        assert len(sentry.requests("/issues/?")) == 3
        assert len(sentry.server.log) <= 6, sentry.requests()
        sentry.pull(NOW + 8 * DAY)
        assert len(sentry.requests("is%3Aunresolved")) == 1, "once a week all open ones are listed"


def test_an_issue_that_is_gone_is_found_within_a_week(tmp_path: Path) -> None:
    """A resolved one is missed the next night, an open one when all are listed. The number of requests has a limit."""
    here = Organization()
    history(here)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        for number in (2, 7):
            here.errors.issues[number - 1].deleted_at = NOW + HOUR
        assert counts(sentry.pull(NOW + DAY)) == {"issues_deleted_at_source": 1}
        assert sentry.table("deletions", "external_id") == [("2",)]
        sentry.pull(NOW + 8 * DAY)
        assert sentry.table("deletions", "external_id") == [("2",), ("7",)]
        assert len(sentry.table("error_issues")) == 58


def test_an_open_issue_without_events_for_90_days_is_asked_for_by_its_id(tmp_path: Path) -> None:
    """Trap: it is in no list any more, and was resolved meanwhile. Its resolve is known to the time since it was seen last."""
    here = Organization()
    at = NOW - 85 * DAY
    here.issue(at, Episode(at, NOW + 20 * DAY, "commit", "Ana", "gone@1", NOW), until=at)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        sentry.pull(NOW + 8 * DAY)
        assert len(sentry.requests("/issues/1/")) == 1
        assert sentry.pull(NOW + 9 * DAY) and sentry.requests("/issues/1/") == []
        sentry.pull(NOW + 22 * DAY)
        assert sentry.events(HOW) == [
            ("1", "resolved", plain(NOW + 22 * DAY), plain(NOW + 8 * DAY), "derived", None, "1")
        ]


def test_older_than_the_server_searches_is_said(tmp_path: Path) -> None:
    """Trap: a window that is wholly older is empty, without an error."""
    here = Organization()
    here.issue(NOW - 300 * DAY)
    here.issue(NOW - 10 * DAY)
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull(since=NOW - 200 * DAY)
        assert sentry.ids(manifest, "issues") == ["2"] and counts(manifest) == {"error_days_older_than_given": 110}
    with site(here, tmp_path / "short", since="2026-08-01") as short:
        assert counts(short.pull()) == {}
        assert counts(short.pull(NOW + 100 * DAY)) == {"error_days_older_than_given": 10}


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_pages_without_rows_are_not_the_last(tmp_path: Path, flavour: str) -> None:
    here = Organization(flavour=flavour)
    for n in range(230):
        here.issue(NOW - 80 * DAY + n * HOUR)
    here.simulator.traits.empty_pages = True
    with site(here, tmp_path) as sentry:
        assert len(sentry.ids(sentry.pull(), "issues")) == 230


def test_links_with_a_semicolon_before_the_comma_are_read() -> None:
    header = (
        '<https://x/?&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1";, '
        '<https://x/?&cursor=1:0:0>; rel="next"; results="true"; cursor="1:0:0"'
    )
    assert following({"link": header}) == "1:0:0"


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_some_projects_and_environments_only(tmp_path: Path, flavour: str) -> None:
    """GlitchTip wants ids. A project that is not there is told."""
    here = Organization(flavour=flavour)
    history(here)
    here.errors.issues[1].environment = "staging"
    with site(here, tmp_path, error_projects=["search", "nowhere"], error_environments=["production"]) as sentry:
        manifest = sentry.pull()
        assert counts(manifest)["error_projects_not_readable"] == 1
        assert len(sentry.ids(manifest, "issues")) == 29
        assert set(sentry.table("error_issues", "service, environment")) == {("search", "production")}
        sentry.configure(error_projects=["search"])
        assert len(sentry.ids(sentry.pull(NOW + DAY), "issues")) == 30, "another choice is read anew"


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_tags_name_service_and_team(tmp_path: Path, flavour: str) -> None:
    here = Organization(flavour=flavour)
    here.issue(NOW - DAY, tags={"component": "Cart", "squad": "Blue"})
    here.issue(NOW - DAY, assigned=("team", "Reds"))
    here.issue(NOW - DAY, project="search")
    with site(here, tmp_path, service_tag="component", team_tag="squad", services={"search": "Finder"}) as sentry:
        sentry.pull()
        assert sentry.table("error_issues", "service, team") == [
            ("Cart", "Blue"),
            ("Finder", None),
            ("checkout", "Reds"),
        ]
        sentry.pull(NOW + DAY)
        assert sentry.requests("/tags/") == []


def test_what_issues_name(tmp_path: Path) -> None:
    here = Organization()
    page = "https://acme.example.com/browse/OPS-9"
    note = Act("note", NOW - HOUR, "Ana", {"text": "see https://acme.pagerduty.com/incidents/Q0AB12"})
    here.issue(NOW - DAY, tickets=("OPS-231",), pages=(page,), acts=[note])
    with site(here, tmp_path) as sentry:
        sentry.pull()
        links = sentry.table("links", "place, reason, target_kind, target")
        assert links[0] == ("alert_key", "dedup", "dedup", "CHECKOUT-1") and links[4][:3] == ("url", "url", "url")
        assert links[1:4] == [
            ("external_reference", "url", "url", page),
            ("external_reference", "vendor", "key", "OPS-231"),
            ("note", "text", "url", "https://acme.pagerduty.com/incidents/Q0AB12"),
        ]
        assert links[4][3].endswith("/organizations/acme/issues/1")


# -- GlitchTip and others ----------------------------------------------------------------------------------------------


def test_glitchtip_tells_no_time_of_a_resolve(tmp_path: Path) -> None:
    """What is seen between two runs is an interval, and said. An event brings an issue back without a word. Comments are notes."""
    here = Organization(flavour="glitchtip")
    at = NOW - 5 * DAY
    here.issue(
        at,
        Episode(at, NOW + HOUR, by="Ana"),
        Episode(NOW + 30 * HOUR),
        until=NOW + 30 * HOUR,
        acts=[Act("note", NOW + HOUR, "Ana", {"text": "Mitigated: off"})],
    )
    with site(here, tmp_path) as sentry:
        assert counts(sentry.pull()) == {
            "error_resolve_times_not_in_plan": 1,
            "release_sessions_not_in_plan": 1,
        }
        assert sentry.requests("422") == [] and [line.status for line in sentry.server.log if line.status == 422] == [
            422
        ]
        sentry.pull(NOW + DAY)
        sentry.pull(NOW + 2 * DAY)
        assert sentry.events(HOW) == [
            ("1", "reopened", plain(NOW + 2 * DAY), plain(NOW + DAY), "derived", None, None),
            ("1", "resolved", plain(NOW + DAY), plain(NOW), "derived", None, None),
        ]
        assert sentry.events("notes, happened_at", kinds="note") == [("Mitigated: off", plain(NOW + HOUR))]
        assert sentry.table("error_issues", "events > 1, users, url, substatus") == [(True, None, None, None)]
        source = build_source("sentry", sentry.settings)
        assert (
            "errors, but no history of an issue, so a resolve is known to the time between two runs only"
            in source.check()
        )
        source.close()


def test_a_first_sight_of_a_resolved_issue_has_its_first_event_as_a_bound(tmp_path: Path) -> None:
    here = Organization(flavour="glitchtip")
    at = NOW - 5 * DAY
    here.issue(at, Episode(at, at + HOUR))
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.events(HOW) == [("1", "resolved", plain(NOW), plain(at), "derived", None, None)]


@pytest.mark.parametrize(
    ("ignored", "knows"),
    [({"query"}, True), ({"sort"}, True), ({"project"}, True), ({"environment"}, True), (set(), False)],
)
def test_a_server_that_ignores_a_parameter_gives_the_same(tmp_path: Path, ignored: set[str], knows: bool) -> None:
    """Everything or nothing comes then: rows are looked at here."""
    found = []
    for place, traits in enumerate(((set(), True), (ignored, knows))):
        here = Organization()
        here.simulator.traits.ignores, here.simulator.traits.knows = traits
        history(here)
        here.issue(NOW - DAY, category="performance")
        with site(here, tmp_path / str(place), error_projects=["search"]) as sentry:
            sentry.pull()
            here.errors.issues[3].episodes.append(Episode(NOW + HOUR, reopened_by="Ben"))
            here.errors.issues[3].events |= per_hour(NOW + HOUR, NOW + HOUR, 1)
            here.errors.issues[5].deleted_at = NOW + HOUR
            manifest = sentry.pull(NOW + DAY)
            found.append((sentry.ids(manifest, "issues"), sentry.events(), len(sentry.table("error_issues"))))
            assert ("error_filters_not_in_plan" in counts(manifest)) == (
                place == 1 and ignored != {"environment"} and knows
            )
    assert found[0] == found[1] and found[0][0] == ["4"] and found[0][2] == 29


def test_a_filter_that_finds_nothing_is_noticed(tmp_path: Path) -> None:
    """A key that a server does not know may be a tag of its own, so that nothing has it."""
    here = Organization()
    history(here)
    fits = type(here.simulator)._errors

    def nothing(self: Any, request: Any, path: list[str], now: datetime) -> Any:
        query = request.one("query") or ""
        if path[-2:] == ["issues", ""] and "is:" in query:
            request.query["query"] = ["unknown-tag:x"]
        return fits(self, request, path, now)

    here.simulator._errors = nothing.__get__(here.simulator)  # type: ignore[method-assign]
    with site(here, tmp_path) as sentry:
        sentry.pull()
        manifest = sentry.pull(NOW + DAY)
        assert counts(manifest)["error_filters_not_in_plan"] == 1
        assert sentry.table("deletions") == []


# -- access ------------------------------------------------------------------------------------------------------------


def test_a_token_that_may_not_read_errors_costs_the_errors_only(tmp_path: Path) -> None:
    """It is told, by doctor too; and they are read when it may."""
    here = Organization()
    here.simulator.scopes = ("org:read", "project:releases")
    here.release("checkout@1.0", NOW - DAY, NOW - DAY)
    here.issue(NOW - DAY)
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert counts(manifest) == {"errors_not_readable": 1}
        assert len(sentry.deploys()) == 1 and sentry.table("error_issues") == []
        source = build_source("sentry", sentry.settings)
        assert "no errors (status 403): this server does not list issues, or give the token" in source.check()
        source.close()
        here.simulator.scopes = ("org:read", "project:releases", "event:read")
        assert sentry.ids(sentry.pull(NOW + DAY), "issues") == ["1"]
        here.simulator.traits.lists_issues = False
        sentry.configure(error_projects=["checkout"])
        assert counts(sentry.pull(NOW + 20 * DAY)) == {"errors_not_readable": 1}


def test_errors_can_be_switched_off(tmp_path: Path) -> None:
    here = Organization()
    here.issue(NOW - DAY)
    with site(here, tmp_path, errors=False) as sentry:
        assert counts(sentry.pull()) == {} and sentry.requests("issues") == []


def test_a_list_that_lost_everything_buries_nothing(tmp_path: Path) -> None:
    """A token that sees no project any more gets empty lists, without an error."""
    here = Organization()
    history(here)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        issues, here.errors.issues = here.errors.issues, []
        manifest = sentry.pull(NOW + DAY)
        assert counts(manifest) == {"audit_answers_not_believed": 1}
        here.errors.issues = issues
        sentry.pull(NOW + 2 * DAY)
        assert len(sentry.table("error_issues")) == 60


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_sessions_of_releases(tmp_path: Path) -> None:
    """Days are read again until they were over; more releases than one answer holds are read in parts."""
    here = Organization()
    today = NOW.replace(hour=0)
    here.issue(NOW - DAY)
    for n in range(400):
        here.errors.sessions.append(Sessions(f"checkout@1.{n}", "checkout", today - (n % 40) * DAY, 100 + n, n % 3))
    with site(here, tmp_path) as sentry:
        assert counts(sentry.pull()) == QUIET
        rows = sentry.table("release_sessions", "version, service, environment, began_at, sessions, crashed")
        assert len(rows) == 400
        assert ("1.7", "checkout", "production", plain(today - 7 * DAY), 107, 1) in rows
        here.errors.sessions[0].sessions = 900
        here.errors.sessions[5].sessions = 900
        sentry.pull(NOW + DAY)
        assert len(sentry.requests("/sessions/")) == 1
        rows = sentry.table("release_sessions", "version, sessions")
        assert ("1.0", 900) in rows and ("1.5", 105) in rows, "a day that was over is not read again"


def test_a_day_with_more_releases_than_one_answer_holds_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Organization()
    here.issue(NOW - DAY)
    for n in range(30):
        here.errors.sessions.append(Sessions(f"checkout@1.{n}", "checkout", NOW - (n % 3) * DAY, 100))
    monkeypatch.setattr("mttr_pipeline.sources.sentry.sessions.POINTS", 20)
    with site(here, tmp_path, since="2026-09-28") as sentry:
        assert counts(sentry.pull()) == {"release_session_days_cut": 3}


# -- odd records -------------------------------------------------------------------------------------------------------

ISSUE = {
    "shortId": "CHECKOUT-1",
    "title": "KeyError",
    "permalink": "https://sentry.example.com/issues/1/",
    "level": "error",
    "status": "resolved",
    "substatus": None,
    "priority": "high",
    "isUnhandled": True,
    "count": "3",
    "userCount": 1,
    "firstSeen": "2026-09-30T00:00:00Z",
    "lastSeen": "2026-09-30T01:00:00Z",
    "numComments": 0,
    "lifetime": {"count": "3", "userCount": 1, "firstSeen": "2026-09-30T00:00:00Z", "lastSeen": "2026-09-30T01:00:00Z"},
    "project": {"id": "1", "slug": "checkout", "name": "Checkout"},
    "statusDetails": {"inRelease": "checkout@1.0", "inCommit": {"id": "a"}},
    "firstRelease": {"version": "checkout@1.0", "shortVersion": "1.0"},
    "lastRelease": None,
    "assignedTo": {"type": "team", "name": "Payments"},
    "annotations": [{"url": "https://acme.example.com/browse/OPS-9"}],
    "integrationIssues": [{"key": "OPS-1"}],
    "sentryAppIssues": [],
}
ENTRY = {
    "type": "set_resolved",
    "dateCreated": "2026-09-30T02:00:00Z",
    "user": {"id": "7", "name": "Ana"},
    "app": None,
    "data": {"version": None, "integration": None, "text": None},
    "merged": [],
}


@pytest.mark.parametrize(
    ("stream", "record"),
    [
        ("issues", {"before_at": None, "is_whole": True, "service": "", "team": "", "record": ISSUE}),
        ("issue_activities", ENTRY),
        ("issue_counts", {"minutes": 60, "points": [[1790820000, 3]]}),
        ("projects", {"slug": "checkout", "name": "Checkout", "teams": ["Payments"]}),
        (
            "sessions",
            {"project": "1", "environment": "production", "day": "2026-09-30T00:00:00Z", "sessions": 3, "crashed": 1},
        ),
    ],
)
def test_odd_records_harm_no_other(tmp_path: Path, stream: str, record: dict[str, Any]) -> None:
    line = {"id": "1", "read_at": "2026-10-01T06:00:00Z", **record}
    assert odd_record_problems(SOURCE, stream, line, tmp_path) == []


ODD: list[Any] = [None, 7, -1e300, True, "", "text", [], {}, [[1]], {"a": {"b": [1]}}]


def test_odd_members_of_the_answers_harm_no_other(tmp_path: Path) -> None:
    """Over HTTP, since the pull itself reads them: each member of an issue and of an entry with values of other types."""
    here = Organization()
    at = NOW - DAY
    here.issue(at, Episode(at, at + HOUR, by="Ana"), acts=[Act("note", at, "Ana", {"text": "x"})])
    names = [*ISSUE, "stats", "activity", "issueCategory"]
    odd = {str(n + 2): change for n, change in enumerate((name, value) for name in names for value in ODD)}
    for _ in odd:
        here.issue(at, acts=[Act("assigned", at, "Ana")])
    handle = here.simulator.handle

    def changed(row: Any) -> Any:
        name, value = odd.get(str(row.get("id")), ("", None))
        entry = {"id": "5", "type": "note", "dateCreated": "2026-09-30T02:00:00Z", "user": value, "data": value}
        strange = [value, entry, {**entry, "type": value}, {**entry, "dateCreated": value}, {"data": {"issues": value}}]
        return {**row, "activity": [*row.get("activity", []), *strange], **({name: value} if name else {})}

    def answer(request: Request, now: datetime) -> Response:
        response = handle(request, now)
        if "/issues/" in request.path and response.status == 200:
            body = json.loads(response.body)
            response.body = json.dumps([*map(changed, body)] if isinstance(body, list) else changed(body)).encode()
        return response

    here.simulator.handle = answer  # type: ignore[method-assign]
    with site(here, tmp_path) as sentry:
        assert sentry.pull().status == "complete"
        assert sentry.pull(NOW + DAY).status == "complete"
        rows = dict(sentry.table("error_issues", "external_id, first_seen_at", is_sound=False))
        assert rows["1"] == plain(at) and len(rows) >= len(odd) - 20


# -- nights ------------------------------------------------------------------------------------------------------------

_ends = st.sampled_from(["open", "hand", "in_release", "next_release", "commit", "age", "archived", "deleted"])


@given(
    before=st.lists(st.tuples(st.integers(0, 85), _ends), max_size=5),
    after=st.lists(st.tuples(st.integers(0, 4), _ends), max_size=4),
    flavour=st.sampled_from(["sentry", "glitchtip"]),
)
@settings(max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
def test_two_nights_have_what_a_full_pull_has(
    tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any, flavour: str
) -> None:
    """Every issue is as a full pull of the second night shows it. Its resolves too, where the vendor says their times."""
    here = Organization(flavour=flavour)
    here.release("checkout@2.0", NOW - DAY, NOW - DAY)
    for days, how in before:
        at = NOW - days * DAY - 2 * HOUR
        _end(here.issue(at), at + HOUR, how)
    with site(here, tmp_path_factory.mktemp("two")) as two:
        two.pull()
        for number, how in after:
            if number < len(here.errors.issues) and here.errors.issues[number].deleted_at is None:
                issue = here.errors.issues[number]
                if issue.episodes[-1].over_at or issue.archived:
                    issue.episodes.append(Episode(NOW + HOUR, reopened_by="Ben"))
                    issue.events |= per_hour(NOW + HOUR, NOW + HOUR, 3)
                else:
                    _end(issue, NOW + 2 * HOUR, how)
            else:
                _end(here.issue(NOW + HOUR), NOW + 2 * HOUR, how)
        two.pull(NOW + DAY)
        columns = "external_id, status, substatus, resolved_in_release, events, first_seen_at, last_seen_at"
        open_and_gone = {one.id for one in here.errors.issues if one.deleted_at}
        mine = [row for row in two.table("error_issues", columns) if row[0] not in open_and_gone]
        told = [row for row in two.events(HOW) if row[0] not in open_and_gone and row[4] == "api"]
        with site(here, tmp_path_factory.mktemp("one")) as one:
            one.pull(NOW + DAY)
            assert one.table("error_issues", columns) == mine
            assert [row for row in one.events(HOW) if row[4] == "api"] == told


def _end(issue: Any, at: datetime, how: str) -> None:
    """Let the open episode of an issue end."""
    if how == "archived":
        issue.archived.append(Archived(at, None, "Ana"))
    elif how == "deleted":
        issue.deleted_at = at
    elif how != "open":
        episode = issue.episodes[-1]
        episode.resolved, episode.how, episode.by, episode.release = at, how, "Ana", "checkout@2.0"


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
@pytest.mark.parametrize("profile", ["token_expired", *slow("heavy")])
def test_faults_change_nothing(tmp_path: Path, profile: str, flavour: str) -> None:
    found = []
    for name in ("none", profile):
        here = Organization(flavour=flavour)
        for n in range(130):
            at = NOW - 80 * DAY + n * 6 * HOUR
            here.issue(at, Episode(at, at + HOUR if n % 2 else None, by="Ana"))
        with site(here, tmp_path / name) as sentry:
            sentry.server.set_faults(name)
            manifest = sentry.pull()
            found.append({stream: sentry.ids(manifest, stream) for stream in ("issues", "issue_activities")})
            assert not counts(manifest).keys() & {"issues_deleted_at_source", "error_filters_not_in_plan"}
    assert found[0] == found[1] and len(found[0]["issues"]) == 130


def test_a_pull_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """What was landed is not asked for again. What is read then is of that time, not of the time at which the pull began."""
    here = Organization()
    for n in range(120):
        here.issue(NOW - 80 * DAY + n * HOUR)
    with site(here, tmp_path, connections=1, max_wait_minutes=0.01) as sentry:
        sentry.server.set_faults((Rule("status", attempts=None, argument=500, path="/issues/99/"),))
        with pytest.raises(Exception, match="500"):
            sentry.pull()
        sentry.server.set_faults("none")
        begun = datetime.now(UTC).replace(microsecond=0)
        manifest = sentry.pull()
        assert len(sentry.ids(manifest, "issues")) == 120
        details = [line for line in sentry.requests("/issues/") if line.split("/issues/")[1][:1].isdigit()]
        assert len(details) <= 71
        late = {row["read_at"] for row in sentry.rows(manifest, "issues")}
        assert len(late) == 2 and datetime.fromisoformat(max(late)) >= begun


def test_a_project_that_changes_between_two_attempts_is_as_the_later_one_saw_it(tmp_path: Path) -> None:
    """Projects are landed when they differ from what is known, and what the later attempt saw is known from then on."""
    here = Organization()
    issue = here.issue(NOW - 2 * DAY)
    here.issue(NOW - DAY)  # whose detail is asked for first, to learn what the server has
    with site(here, tmp_path, max_wait_minutes=0.01) as sentry:
        sentry.server.set_faults((Rule("status", attempts=None, argument=500, path=f"/issues/{issue.id}/"),))
        with pytest.raises(Exception, match="500"):
            sentry.pull()
        here.errors.teams["checkout"] = ("Tills",)
        sentry.server.set_faults("none")
        sentry.pull()
        sentry.pull(NOW + DAY)
        assert sentry.table("owners", "team", is_sound=False).count(("Tills",)) == 1
