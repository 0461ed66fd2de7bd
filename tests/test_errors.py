"""Issues of error trackers: episodes, classes, order, fixes, and what they are evidence of, at the limits of each definition."""

from __future__ import annotations

import random
from pathlib import Path

import error_reference as reference
import pytest
from correlation_cases import DAY, HOUR, MINUTE, Link, Rec
from correlation_cases import reference as correlate
from delivery_cases import Dep, causes
from error_cases import Issue, Told, World, tracked
from error_worlds import issues, side_by_side
from mart_cases import rows
from support import AS_OF_US, drawn, more_where_slow

T0 = AS_OF_US - 20 * DAY


def test_an_issue_is_known_by_all_that_is_told_of_it(tmp_path: Path) -> None:
    """One issue from the deploy that brought it to the fix that holds, and the page about it: everything in one place."""
    world = World(
        issues=[
            Issue(
                "7", key="CHECKOUT-1A2", title="Payment is None", first_seen_at=T0, last_seen_at=T0 + 3 * HOUR,
                first_release="shop@2.4.1", status="resolved", resolved_in_release="shop@2.4.2", users=40,
            )
        ],
        told=[Told("7", "resolved", T0 + 5 * HOUR, release="2.4.2", actor_kind="human")],
        deploys=[
            Dep("custom", "bad", version="2.4.1", finished_at=T0 - 5 * MINUTE),
            Dep("custom", "good", version="2.4.2", finished_at=T0 + 4 * HOUR, title="Fixes CHECKOUT-1A2"),
        ],
        records=[Rec("pagerduty", "P", {"detected": T0 + MINUTE, "resolved": T0 + 5 * HOUR}, service="Checkout")],
        links=[Link("pagerduty", "P", "dedup", "dedup", "CHECKOUT-1A2", place="alert_key")],
    )  # fmt: skip
    with tracked(tmp_path, world) as warehouse:
        (issue,) = rows(warehouse, "FROM mart.error_issues")
        (episode,) = rows(warehouse, "FROM mart.error_episodes")
        (evidence,) = rows(warehouse, "FROM mart.incident_errors")
        (deploy,) = rows(warehouse, "FROM mart.incident_deploys")
        names = {r["deploy_id"]: r["external_id"] for r in rows(warehouse, "FROM mart.deploys")}
        (incident,) = rows(warehouse, "FROM mart.incidents")
    assert (issue["status"], issue["class"], issue["triage_rank"], issue["episodes"]) == ("resolved", None, None, 1)
    assert (names[issue["introduced_by"]], names[issue["fix_deploy_id"]]) == ("bad", "good")
    assert (issue["fix_state"], issue["fix_method"]) == ("confirmed", "release")
    assert issue["fix_confirmed_at"] == issue["fix_confirmed_not_before"] == T0 + 4 * HOUR + 30 * MINUTE
    assert issue["incident_id"] == incident["incident_id"]
    assert (episode["began_at"], episode["resolved_at"]) == (T0, T0 + 5 * HOUR)
    assert (evidence["method"], evidence["is_weak"], evidence["minutes_from_detected"]) == ("link", False, -1.0)
    assert (names[deploy["deploy_id"]], deploy["method"]) == ("bad", "explicit")


def short(version: str | None) -> str | None:
    """A version without its package: with it, it would look like an e-mail address."""
    return version and version.split("@")[-1]


@more_where_slow(120, 1500)
def test_every_issue_is_what_the_reference_says(tmp_path: Path, count: int) -> None:
    """Drawn histories, counts and deploys: episodes, classes, the order of the work, and the state of every fix."""
    world = side_by_side(drawn(issues(), count))
    releases = reference.Releases(world.deploys)
    values = {"page:pay": 2.0, "S0001": 5.0, "S0003": 1.0}
    file = {"errors": {"path_values": {"services": {"s0001": 5, "S0003": 1}, "tags": {"Page:Pay": 2}}}}
    with tracked(tmp_path, world, file) as warehouse:
        shown = {row["external_id"]: row for row in rows(warehouse, "FROM mart.error_issues")}
        built = rows(warehouse, "FROM mart.error_episodes")
        names = {
            row["deploy_id"]: (row["source"], row["external_id"], row["service"])
            for row in rows(warehouse, "SELECT deploy_id, source, external_id, service FROM mart.deploys")
        }
    told = [issue for issue in world.issues if (issue.first_seen_at or 0) <= reference.LATEST]
    assert shown.keys() == {issue.external_id for issue in told}
    spiking, unresolved = set(), []
    for issue in told:
        row = shown[issue.external_id]
        found = reference.episodes(issue, world.told, releases)
        expected = [
            vars(each) | {"release": short(each.release), "resolved_release": short(each.resolved_release)}
            for each in found
        ]
        mine = [each for each in built if each["external_id"] == issue.external_id]
        assert [
            {
                "began_at": each["began_at"],
                "began_by": each["began_by"],
                "release": each["began_release"],
                "resolved_at": each["resolved_at"],
                "not_before": each["resolved_not_before"],
                "provenance": each["resolved_provenance"],
                "resolved_release": each["resolved_release"],
                "is_over_unknown": each["is_over_unknown"],
            }
            for each in mine
        ] == expected, issue
        for each, episode in zip(mine, found, strict=True):
            ran = releases.ran(issue.service, episode.release)
            assert names.get(each["introduced_by"]) == (ran.deploy if ran else None), issue
        made = reference.fixes(issue, found, world.counts, releases)
        assert [
            (each["episode"], each["fix_at"], each["fix_method"], names.get(each["fix_deploy_id"]), each["fix_state"],
             each["fix_confirmed_at"])
            for each in mine if each["fix_state"]
        ] == [(fix.episode, fix.at, fix.method, fix.deploy, fix.state, fix.confirmed_at) for fix in made], issue  # fmt: skip
        assert row["fix_state"] == (made[-1].state if made else None)
        spikes = reference.is_spiking(issue, world.counts)
        assert (row["is_spiking"], row["class"]) == (spikes, reference.kind_of(issue, found, spikes)), issue
        assert row["status"] == reference.shown_status(issue, found)
        spiking |= {issue.external_id} if spikes else set()
        unresolved += [issue] if row["status"] == "unresolved" else []
    ranked = [
        name for _, name in sorted((r["triage_rank"], r["external_id"]) for r in shown.values() if r["triage_rank"])
    ]
    assert ranked == reference.order(unresolved, spiking, values)


def world_of_evidence(luck: random.Random, number: int) -> World:
    """A few incidents, issues and deploys of one service, and what they say of each other. Nothing of it names another world."""
    start = AS_OF_US - 5 * DAY

    def instant() -> int:
        return start + luck.randrange(40) * 10 * MINUTE

    service = f"S{number}"
    found = []
    for name in range(luck.choice((1, 2, 4))):
        at = instant()
        over = luck.random() < 0.9
        found.append(
            Issue(
                f"{number}i{name}", key=f"W{number}-{name}1", url=f"https://sentry.example/r/{number}i{name}",
                service=luck.choice((service, service, None)), first_seen_at=at, last_seen_at=at,
                status="resolved" if over else "unresolved", first_release=luck.choice((None, "1.0", "2.0")),
            )
        )  # fmt: skip
    told = []
    for issue in found:
        assert issue.first_seen_at is not None
        if issue.status == "resolved":
            told.append(Told(issue.external_id, "resolved", issue.first_seen_at + luck.randrange(40) * 10 * MINUTE))
            if luck.random() < 0.3:
                back = told[-1].happened_at + luck.randrange(1, 300) * 10 * MINUTE
                told.append(Told(issue.external_id, "regression", back, release=luck.choice((None, "2.0"))))
                told.append(Told(issue.external_id, "resolved", back + HOUR))
    recs = []
    for name in range(luck.choice((1, 2, 5))):
        at = {"detected": instant()}
        if luck.random() < 0.3:
            at["occurred"] = at["detected"] - luck.randrange(8) * 10 * MINUTE
        if luck.random() < 0.8:
            at["resolved"] = at["detected"] + luck.randrange(60) * 10 * MINUTE
        # Records of one source never join by what the links below say.
        recs.append(Rec("pagerduty", f"{number}p{name}", at, service=luck.choice((service, service, None))))
    links = []
    for _ in range(luck.choice((0, 1, 3, 6))):
        issue, rec = luck.choice(found), luck.choice(recs)
        reason = luck.choice(("vendor", "url", "url", "key", "text", "dedup"))
        target = {
            "vendor": ("id", issue.external_id, "sentry"),
            "url": ("url", issue.url, None),
            "key": ("key", issue.key, None),
            "text": ("key", issue.key, None),
            "dedup": ("dedup", issue.key, None),
        }[reason]
        text = luck.choice((None, "one")) if reason in ("url", "key", "text") else None
        place = "alert_key" if reason == "dedup" else "note" if reason == "text" else "field"
        if luck.random() < 0.3 and reason in ("vendor", "url"):
            own = {"vendor": ("id", rec.id, "pagerduty"), "url": ("url", rec.url, None)}[reason]
            links.append(Link("sentry", issue.external_id, reason, *own, place, text))
        else:
            links.append(Link(*rec.name, reason, target[0], target[1] or "", target[2], place, text))
    deploys = [
        Dep(
            "custom",
            f"{number}d{version}",
            service=service,
            version=version,
            finished_at=instant() + MINUTE * (version == "2.0"),
        )
        for version in ("1.0", "2.0")
        if luck.random() < 0.7
    ]
    return World(found, told, deploys=deploys, records=recs, links=list(dict.fromkeys(links)))


def merged(worlds: list[World]) -> World:
    return World(*(
        [each for world in worlds for each in getattr(world, part)]
        for part in ("issues", "told", "counts", "sessions", "deploys", "records", "links")
    ))  # fmt: skip


@more_where_slow(60, 600)
def test_evidence_is_what_the_reference_says(tmp_path: Path, count: int) -> None:
    """Issues are linked by the rules that link records, guard by guard; what only happened together stands apart; and a deploy is
    blamed for the incident of an issue that came with it."""
    luck = random.Random(count)
    world = merged([world_of_evidence(luck, number) for number in range(count)])
    releases = reference.Releases(world.deploys)
    begun = {issue.external_id: reference.episodes(issue, world.told, releases) for issue in world.issues}
    as_records = [
        Rec(
            "sentry", issue.external_id,
            {"detected": each.began_at} | ({} if each.resolved_at is None else {"resolved": each.resolved_at}),
            episode=number, key=issue.key, dedup_key=issue.key,
        )
        for issue in world.issues
        for number, each in enumerate(begun[issue.external_id], 1)
    ]  # fmt: skip
    _, edges = correlate([*world.records, *as_records], world.links)
    linked = set()
    for one, other, _ in edges:
        for error, record in ((one, other), (other, one)):
            if error[0] == "sentry" and record[0] != "sentry":
                linked.add((record[1], error[1], error[2]))
    pairs = {(rec, issue) for rec, issue, _ in linked}
    with tracked(tmp_path, world) as warehouse:
        evidence = rows(
            warehouse,
            """SELECT i.external_id AS rec, e.external_id AS issue, e.method, e.is_weak, e.minutes_from_detected
            FROM mart.incident_errors AS e JOIN mart.incidents AS i USING (incident_id)""",
        )
        caused = rows(
            warehouse,
            """SELECT i.external_id AS rec, l.method, d.source, d.external_id, d.service FROM mart.incident_deploys AS l
            JOIN mart.incidents AS i USING (incident_id) JOIN mart.deploys AS d USING (deploy_id)""",
        )
        shown = rows(
            warehouse,
            """SELECT e.external_id, i.external_id AS rec FROM mart.error_issues AS e
            LEFT JOIN mart.incidents AS i USING (incident_id)""",
        )
        n_incidents = rows(warehouse, "SELECT count(*) AS n FROM mart.incidents")
    assert n_incidents == [{"n": len(world.records)}]  # nothing was joined
    assert {(row["rec"], row["issue"]) for row in evidence if not row["is_weak"]} == pairs
    blamed = {(row["rec"], (row["source"], row["external_id"], row["service"]), row["method"]) for row in caused}
    explicit = set()
    for rec, issue, episode in linked:
        service = next(each.service for each in world.issues if each.external_id == issue)
        ran = releases.ran(service, begun[issue][episode - 1].release)
        if ran is not None:
            explicit.add((rec, ran.deploy, "explicit"))
    by_time = {link for link in causes(releases.reals, world.records) if link[0] not in {rec for rec, *_ in explicit}}
    assert blamed == explicit | by_time
    expected = reference.weak(world, releases, pairs, {(rec, deploy) for rec, deploy, _ in blamed})
    assert {(row["rec"], row["issue"], row["method"]) for row in evidence if row["is_weak"]} == expected
    assert {row["method"] for row in evidence} == {"link", "release", "service and time"}
    detected = {rec.id: rec.at["detected"] for rec in world.records}
    first = {issue.external_id: issue.first_seen_at or 0 for issue in world.issues}
    for row in evidence:
        if row["is_weak"]:
            assert row["minutes_from_detected"] == (first[row["issue"]] - detected[row["rec"]]) / MINUTE
    began = {rec.id: rec.at["detected"] for rec in world.records}
    for row in shown:
        mine = [rec for rec, issue in pairs if issue == row["external_id"]]
        assert (row["rec"] is None) == (not mine)
        assert row["rec"] is None or began[row["rec"]] == max(began[rec] for rec in mine)


SHORT_IDS = {
    "known": ("note", "one", ("SHOP-1A2",), DAY, {"1"}),
    "unknown words beside it": ("title", "title", ("SHOP-1A2", "READ-ME", "SHOP-9Z"), DAY, {"1"}),
    "two of one tool": ("note", "one", ("SHOP-1A2", "SHOP-B"), DAY, set()),
    "no issue's": ("note", "one", ("SHOP-1A3",), DAY, set()),
    "months later": ("note", "one", ("SHOP-1A2",), 120 * DAY, set()),
    "the name of a custom record": ("note", "one", ("REC-2A",), DAY, set()),
}


@pytest.mark.parametrize("case", SHORT_IDS)
def test_short_ids_in_texts_name_known_issues_only(tmp_path: Path, case: str) -> None:
    """A word in capitals may be anything. Only the key of an issue is a name, and it has the guards of every other."""
    place, text, words, since, expected = SHORT_IDS[case]
    began = AS_OF_US - 150 * DAY
    issues = [
        Issue(name, key=key, status="resolved", first_seen_at=began, last_seen_at=began, service=None)
        for name, key in (("1", "SHOP-1A2"), ("2", "SHOP-B"))
    ]
    detected = began + since
    records = [
        Rec("pagerduty", "P", {"detected": detected, "resolved": detected + HOUR}),
        Rec("custom", "REC-2A", {"detected": detected, "resolved": detected + HOUR}),
    ]
    reason = "text" if place == "note" else "key"
    links = [Link("pagerduty", "P", reason, "key", word, place=place, text_id=text) for word in words]
    told = [Told(issue.external_id, "resolved", began + HOUR) for issue in issues]
    with tracked(tmp_path, World(issues=issues, told=told, records=records, links=links)) as warehouse:
        found = rows(warehouse, "FROM mart.incident_errors WHERE NOT is_weak")
        n_incidents = rows(warehouse, "SELECT count(*) AS n FROM mart.incidents")
    assert {row["external_id"] for row in found} == expected
    assert n_incidents == [{"n": 2}], "an issue joins no records"
