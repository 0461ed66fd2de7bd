"""Deploys of the demonstration company, over the whole road: what was brought out, what broke, and the delivery figures, against the
facts of the company on two nights.

What deploys and links must be follows from the facts by the plain reference of `delivery_cases`; the delivery figures from those.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from correlation_cases import HOUR, Rec
from delivery_cases import Dep, Real, causes, is_production, reals
from support_e2e import UNTIL, mttr, query, scratch
from test_delivery import figures

from mttr_pipeline.demo import VendorServer, World, deliver
from mttr_pipeline.demo.cdevents.records import PIPELINE, event_id
from mttr_pipeline.demo.deploy_stories import ticket_of
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.gitlab.records import deployment_id, made_by_api
from mttr_pipeline.demo.pagerduty.changes import KEPT, change_id, mirrored

VOLUMES = {"pagerduty": 150, "opsgenie": 60, "opsgenie_incident": 10, "jira": 20}
VENDORS = ("pagerduty", "opsgenie", "jira", "github", "gitlab")
NIGHTS = (UNTIL, UNTIL + timedelta(days=1))


def microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=at.tzinfo)) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def company() -> World:
    return World(5, UNTIL, days=70, volumes=VOLUMES, linked=0.5, weekly=1.5)


def night(company: World, server: VendorServer, data: Path, now: datetime, since: datetime | None = None) -> None:
    """One nightly run at `now`, with what was sent after `since`."""
    server.now = now
    deliver(company, data / "inbox", now, since)
    config = data.with_name(f"{data.name}.toml")
    config.write_text('[sources.pagerduty]\nchange_events = ["^Deployed "]\n')
    mttr("--data-dir", data, "--config", config, "run", "--as-of", now.isoformat(), env=server.env(*VENDORS)).ended(0)


@pytest.fixture(scope="module", params=["none", pytest.param("heavy", marks=pytest.mark.slow)])
def nights(request: pytest.FixtureRequest, company: World) -> Iterator[list[Path]]:
    """The data directory after each of two nights."""
    folder = scratch() / f"deploys-{request.param}"
    found = []
    with VendorServer(company, faults=request.param, seed=3, limits=None) as server:
        for number, now in enumerate(NIGHTS):
            night(company, server, folder / "data", now, NIGHTS[number - 1] if number else None)
            found.append((folder / "data/published/latest").resolve())
    yield found


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


def incidents(company: World, now: datetime) -> list[Rec]:
    """Every incident that counts, with the key of its ticket as titles of repairs name it."""
    keys = {
        group[0]: f"({key})"
        for group in company.groups
        for record in group[1:]
        if (key := ticket_of(company.by_id[record]))
    }
    found = []
    for one in company.incidents(now, (*VOLUMES, "alertmanager")):
        row = one.row
        if row.kind != "incident":
            continue
        at = {
            "occurred": row.occurred_at,
            "detected": row.counted_detected_at,
            "mitigated": row.mitigated_at,
            "resolved": row.resolved_at,
        }
        name = f"{row.external_id}#{row.episode}"
        stamps = {stamp: microseconds(when) for stamp, when in at.items() if when is not None}
        found.append(Rec(row.source, name, stamps, service=row.service, key=keys.get((row.tool, row.external_id))))
    return found


def expected(company: World, now: datetime, generation: Path) -> list[Real]:
    finishes = {
        name: microseconds(at)
        for name, at in read(
            generation,
            "SELECT external_id, finished_at FROM deploys WHERE finished_precision = 'interval' AND finished_at IS NOT NULL",
        )
    }
    deps = [dep for deploy in company.deploys if (dep := told(deploy, now, finishes))]
    deps += [
        Dep(
            "pagerduty", change_id(deploy), deploy.service, "production", deploy.sha, finished_at=microseconds(deploy.finished),
            title=f"Deployed {deploy.service}",
        )
        for deploy in mirrored(company.deploys)
        if deploy.finished and NIGHTS[0] - KEPT <= deploy.finished <= now
    ]  # fmt: skip
    return reals(deps, microseconds(now))


def read(generation: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        return con.execute(sql).fetchall()


@pytest.mark.parametrize("number", [0, 1])
def test_every_deploy_link_and_figure_is_the_truth(nights: list[Path], company: World, number: int) -> None:
    """On both nights: each deploy as it was, each link that the definition gives and no other, and the figures of all."""
    now, generation = NIGHTS[number], nights[number]
    found = expected(company, now, generation)
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
    assert sum(len(real.records) == 2 for real in found) > 10  # the pager was told of them too
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


def test_what_broke_is_linked_to_its_incident(nights: list[Path], company: World) -> None:
    """The stories: a deploy breaks a service, and a rollback or a fix ends it. Each is found by the incident's own id."""
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
    ]  # fmt: skip
    assert len(broke) > 20 and {(deploy.incident[1], deploy.sha) for deploy in broke if deploy.incident} <= told_of


@pytest.mark.slow
def test_two_nights_are_one_full_pull(nights: list[Path], company: World) -> None:
    """What was read night by night is what one pull reads."""
    data = scratch() / "deploys-at-once"
    with VendorServer(company, limits=None) as server:
        night(company, server, data, NIGHTS[1])
    same = """SELECT * EXCLUDE (finished_at), CASE WHEN finished_precision <> 'interval' THEN finished_at END
    FROM deploys ORDER BY ALL"""
    assert query(data, same) == read(nights[1], same)
    links = "SELECT * FROM incident_deploys ORDER BY ALL"
    assert query(data, links) == read(nights[1], links)
