"""Deploys of the demonstration company, over the whole road: what was brought out, what broke, and the delivery figures, against the
facts of the company on two nights.

What deploys and links must be follows from the facts by the plain reference of `delivery_cases`; the delivery figures from those.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from correlation_cases import HOUR, Rec
from delivery_cases import Dep, Real, causes, is_production, reals
from error_truth import SERVICE, deploy_of, issues_of, named_by
from sharing import made_once
from support_e2e import UNTIL, latest, mttr
from test_delivery import figures

from mttr_pipeline.demo import REVIEWED, VendorServer, World, deliver
from mttr_pipeline.demo.cdevents.records import PIPELINE, event_id
from mttr_pipeline.demo.deploy_stories import ticket_of
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.gitlab.records import deployment_id, made_by_api
from mttr_pipeline.demo.pagerduty.changes import KEPT, change_id, mirrored
from mttr_pipeline.demo.profiles import PROFILES
from mttr_pipeline.demo.registry import TOOLS
from mttr_pipeline.demo.sentry.records import told as told_to_sentry
from mttr_pipeline.demo.sentry.records import version_of
from mttr_pipeline.demo.slack.stories import channels_of

VOLUMES = {"pagerduty": 150, "opsgenie": 60, "opsgenie_incident": 10, "jira": 20, "jsm": 30}
VENDORS = ("pagerduty", "opsgenie", "jira", "jsm", "github", "gitlab", "sentry", "slack")
#: Between them a release is brought out again: only who has read the first night knows that it is a rollback.
NIGHTS = (UNTIL - timedelta(days=5), UNTIL + timedelta(days=1))


def microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=at.tzinfo)) // timedelta(microseconds=1)


@functools.cache
def the_company() -> World:
    return World(10, UNTIL, days=70, volumes=VOLUMES, linked=0.5, weekly=1.5, reviews=REVIEWED)


pytestmark = pytest.mark.slow  # two whole nights of a company


@pytest.fixture(scope="module")
def company() -> World:
    return the_company()


def night(company: World, server: VendorServer, data: Path, now: datetime, since: datetime | None = None) -> None:
    """One nightly run at `now`, with what was sent after `since`."""
    server.now = now
    deliver(company, data / "inbox", now, since)
    config = data.with_name(f"{data.name}.toml")
    config.write_text('[sources.pagerduty]\nchange_events = ["^Deployed "]\n')
    mttr("--data-dir", data, "--config", config, "run", "--as-of", now.isoformat(), env=server.env(*VENDORS)).ended(0)


def generations() -> list[Path]:
    """What was published after each of two nights."""
    folder = made_once("deploys", both_nights)
    return sorted((folder / "data" / "published").glob("2*"))


def both_nights(folder: Path) -> None:
    with VendorServer(the_company(), limits=None) as server:
        for number, now in enumerate(NIGHTS):
            night(the_company(), server, folder / "data", now, NIGHTS[number - 1] if number else None)


@pytest.fixture(scope="module")
def nights() -> list[Path]:
    return generations()


def told(deploy: Deploy, now: datetime, finishes: dict[str, int]) -> Dep | None:
    """The row that a source must yield of a deploy at `now`; None where it cannot know of it. `finishes` are those that are only
    known to an hour, as they were published."""
    is_over = deploy.ends_by(now)
    finished = microseconds(deploy.finished) if is_over and deploy.finished else None
    common: dict[str, Any] = {
        "service": deploy.service,
        "environment": deploy.environment,
        "sha": deploy.sha,
        "title": deploy.title,
        "finished_at": finished,
    }
    if deploy.tool == "cdevents":  # it tells of what succeeded only
        if not is_over or deploy.outcome != "success":
            return None
        common["title"] = None
        name = f"{PIPELINE}#{event_id(deploy)}"
        return Dep("cdevents", name, status="success", says_rollback=deploy.story == "rollback", **common)
    if deploy.requested > now:
        return None
    status = deploy.outcome or None if is_over else None
    if deploy.tool == "github":
        return Dep("github", str(4_000_000 + deploy.number), status=status, **common)
    name = str(deployment_id(deploy))
    if made_by_api(deploy) and is_over:
        assert finished is not None
        if name in finishes:
            assert abs(finishes[name] - finished) <= HOUR
        common["finished_at"] = finishes.get(name)
    precision = "interval" if made_by_api(deploy) else "job"
    return Dep("gitlab", name, status=status, finished_precision=precision, **common)


def of_sentry(company: World, nights: Iterable[datetime]) -> list[Dep]:
    """The rows that the error tracker must yield after pulls on these nights: it lists the last deploy of each release and
    environment only, so one that was replaced before anybody read it is known to nobody."""
    known: dict[int, Deploy] = {}
    for now in nights:
        over = [one for one in told_to_sentry(company.deploys) if one.outcome == "success" and one.ends_by(now)]
        over.sort(key=lambda one: (one.finished or now, one.number))
        last = {(version_of(one), one.environment): one for one in over}
        known |= {one.number: one for one in last.values()}
    found, seen = [], set()
    for one in sorted(known.values(), key=lambda one: (one.finished or UNTIL, one.number)):
        assert one.finished
        place = (version_of(one), one.environment)
        title = None if place in seen else one.title  # of its commits, which come with the first deploy that is known
        seen.add(place)
        for service in (one.service, *one.also):
            row = Dep("sentry", str(one.number), service, one.environment, one.sha, version_of(one), title=title)
            found.append(replace(row, finished_at=microseconds(one.finished)))
    return found


def incidents(company: World, now: datetime) -> list[Rec]:
    """Every incident that counts, with the key of its ticket as titles of repairs name it."""
    keys = {
        group[0]: f"({key})"
        for group in company.groups
        for record in group[1:]
        if (key := ticket_of(company.by_id[record]))
    }
    said = {
        one.incident: one.mitigated
        for one in channels_of(company)
        if one.mitigated and (one.edited or one.mitigated) <= now
    }
    found = []
    for one in company.incidents(now, (*VOLUMES, "alertmanager")):
        row = one.row
        if row.kind != "incident":
            continue
        at = {
            "occurred": row.occurred_at,
            "detected": row.counted_detected_at,
            "mitigated": row.mitigated_at or said.get((row.tool, row.external_id)),
            "resolved": row.resolved_at,
        }
        name = f"{row.external_id}#{row.episode}"
        stamps = {stamp: microseconds(when) for stamp, when in at.items() if when is not None}
        found.append(Rec(row.source, name, stamps, service=row.service, key=keys.get((row.tool, row.external_id))))
    return found


def expected(company: World, nights: Sequence[datetime], generation: Path) -> list[Real]:
    """The deploys that are known after runs on these nights, of which the last one published the generation."""
    now = nights[-1]
    finishes = {
        name: microseconds(at)
        for name, at in read(
            generation,
            "SELECT external_id, finished_at FROM deploys WHERE finished_precision = 'interval' AND finished_at IS NOT NULL",
        )
    }
    deps = [dep for deploy in company.deploys if deploy.tool != "sentry" and (dep := told(deploy, now, finishes))]
    deps += of_sentry(company, nights)
    deps += [
        Dep(
            "pagerduty", change_id(deploy), deploy.service, "production", deploy.sha, finished_at=microseconds(deploy.finished),
            title=f"Deployed {deploy.service}",
        )
        for deploy in mirrored(company.deploys)
        if deploy.finished and nights[0] - KEPT <= deploy.finished <= now
    ]  # fmt: skip
    return reals(caused(company, deps, now), microseconds(now))


def caused(company: World, deps: Sequence[Dep], now: datetime) -> list[Dep]:
    """The deploys, of which some caused an incident by an error: it began with what the deploy brought out, and names the
    incident."""
    found = list(deps)
    for issue in issues_of(company, now):
        record, bad = named_by(company, issue, now), deploy_of(company, issue.first_release, now)
        if record is None or bad is None:
            continue
        service = SERVICE[issue.project]
        mine = [
            one
            for one in found
            if (one.sha, one.service) == (bad.sha, service) and one.status == "success" and one.finished_at
        ]
        names = [
            f"{one.row.external_id}#{one.row.episode}"
            for one in company.incidents(now, (*VOLUMES, "alertmanager"))
            if (TOOLS[record[0]].source, record[1], 1) in one.records
        ]
        if not names:  # deleted
            continue
        first = min(mine, key=lambda one: one.finished_at or 0)
        found[found.index(first)] = replace(first, caused=(*first.caused, *names))
    return found


def read(generation: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        return con.execute(sql).fetchall()


def is_the_truth(company: World, nights: Sequence[datetime], generation: Path) -> list[Real]:
    """Each deploy as it was, each link that the definition gives and no other, and the figures of all."""
    now = nights[-1]
    found = expected(company, nights, generation)
    published = read(
        generation,
        """SELECT source, external_id, service, environment, sha, status, epoch_us(finished_at), finished_precision, is_production,
            is_rollback, was_rolled_back, n_records FROM deploys""",
    )
    wanted = {
        (*real.name, best.environment, best.sha, best.status, best.finished_at, best.finished_precision, is_production(best),
         real.is_rollback, real.was_rolled_back, len(real.records))
        for real in found
        for best in [real.best]
    }  # fmt: skip
    assert set(published) == wanted and len(published) == len(wanted)
    recs = incidents(company, now)
    links = {
        (f"{rec}#{episode}", (source, name, service), method)
        for rec, episode, source, name, service, method in read(
            generation,
            """SELECT i.external_id, i.episode, d.source, d.external_id, d.service, l.method FROM incident_deploys AS l
            JOIN incidents AS i USING (incident_id) JOIN deploys AS d USING (deploy_id)""",
        )
    }
    assert links == causes(found, recs)
    names = ("deploys", "failed_deploys", "change_failure_pct", "recovery_median_minutes", "n_recovered", "n_recovery_open",
             "rework_deploys", "deploys_per_day", "n_incidents", "n_linked", "link_pct", "deploy_to_detect_median_minutes",
             "n_deploy_to_detect", "n_detected_before_deploy")  # fmt: skip
    (row,) = read(generation, f"SELECT {', '.join(names)} FROM delivery WHERE scope = 'all' AND window_start IS NULL")
    figures_of = figures(found, recs, links, as_of=microseconds(now))
    for name, value in zip(names, row, strict=True):
        assert value == (None if figures_of[name] is None else pytest.approx(figures_of[name], rel=1e-9)), name
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_every_deploy_link_and_figure_is_the_truth(nights: list[Path], company: World, number: int) -> None:
    """On both nights. Two tools that tell of one deploy, a release for two services, and one that is brought out again are there."""
    found = is_the_truth(company, NIGHTS[: number + 1], nights[number])
    told_twice = [{dep.source for dep in real.records} for real in found if len(real.records) == 2]
    assert told_twice.count({"github", "pagerduty"}) > 10 and told_twice.count({"github", "sentry"}) > 10
    again = [real for real in found if real.is_rollback and real.best.source == "sentry"]
    assert len(again) == (2 if number else 0), "of two services, on the second night"
    shared = "SELECT count(*), count(DISTINCT external_id), count(DISTINCT service) FROM deploys WHERE is_shared"
    ((rows, releases, services),) = read(nights[number], shared)
    assert rows == 2 * releases > 60 and services == 2


def test_one_full_pull_is_the_truth_however_much_goes_wrong(company: World) -> None:
    """What was read night by night is what one pull reads, with every kind of fault on the way; but for refusals that do not say how
    long to wait, which takes minutes and is tested with a clock of its own."""
    is_the_truth(company, NIGHTS[1:], at_once())


def at_once() -> Path:
    """What was published after one pull of everything, with faults."""
    return latest(made_once("deploys-at-once", one_night) / "data")


def one_night(folder: Path) -> None:
    faults = tuple(rule for rule in PROFILES["heavy"] if rule.kind != "throttle_silent")
    with VendorServer(the_company(), faults=faults, seed=3, limits=None) as server:
        night(the_company(), server, folder / "data", NIGHTS[1])


def test_what_broke_is_linked_to_its_incident(nights: list[Path], company: World) -> None:
    """The stories: a deploy breaks a service, and a rollback or a fix ends it. Each is found by the incident's own id, unless an
    earlier incident was merged into that one."""
    links = read(
        nights[1],
        """SELECT i.external_id, d.sha FROM incident_deploys AS l
        JOIN incidents AS i USING (incident_id) JOIN deploys AS d USING (deploy_id)""",
    )
    told_of = set(links)
    known = {row[0] for row in read(nights[1], "SELECT external_id FROM incidents WHERE is_counted")}
    broke = [
        deploy
        for deploy in company.deploys
        if deploy.story == "breaks" and deploy.incident and deploy.incident[1] in known and deploy.ends_by(NIGHTS[1])
        and not (deploy.tool == "gitlab" and made_by_api(deploy))
        and not any(fact.kind == "absorbed" and fact.at <= NIGHTS[1] for fact in company.by_id[deploy.incident].facts)
    ]  # fmt: skip
    assert len(broke) > 20 and {(deploy.incident[1], deploy.sha) for deploy in broke if deploy.incident} <= told_of
