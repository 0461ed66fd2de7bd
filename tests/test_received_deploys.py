"""Deploys that are given instead of pulled: custom deploys, CDEvents and bodies of DevLake's webhook, by import and by the inbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support import settings_for

from mttr_pipeline.intake.deploys import DEPLOY_FIELDS
from mttr_pipeline.intake.importer import ImportReport, import_files
from mttr_pipeline.intake.inbox import take
from mttr_pipeline.intake.undo import undo
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.conformance import odd_record_problems
from mttr_pipeline.warehouse.database import Warehouse

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 1, 10, tzinfo=UTC).replace(tzinfo=None)
REPOSITORY = Path(__file__).parents[1]
SPECS = REPOSITORY.parent / "shared" / "specs" / "cdevents"
COLUMNS = "external_id, service, environment, version, sha, status, started_at, finished_at, url, rollback_of, caused, says_rollback"

DEPLOYS: list[dict[str, Any]] = [
    {
        "external_id": "D-1",
        "service": "checkout",
        "environment": "live",
        "version": "1.4",
        "sha": "aa1",
        "repo": "acme/checkout",
        "ref": "main",
        "status": "success",
        "started_at": "2026-09-01T10:00:00Z",
        "finished_at": "2026-09-01T10:05:00Z",
        "url": "https://ci.example.com/1",
        "caused": "OPS-1, OPS-2",
        "updated_at": "2026-09-01T10:06:00Z",
    },
    {
        "external_id": "D-2",
        "service": "checkout",
        "version": "1.3",
        "finished_at": "2026-09-01T11:00:00+01:00",
        "rollback_of": "D-1",
    },
]
INCIDENT = {
    "external_id": "OPS-1",
    "title": "Checkout is down",
    "detected_at": "2026-09-01T10:07:00Z",
    "service": "checkout",
}


class Place:
    """A landing zone and the tables that are made of it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = settings_for(folder, settings)
        self.landing = Landing(folder / "landing")

    def give(self, *files: Path) -> ImportReport:
        return import_files(files, self.landing, new_run_id(), accounts=self.settings.accounts)

    def write(self, name: str, records: Any) -> Path:
        path = self.folder / name
        text = records if isinstance(records, str) else "\n".join(map(json.dumps, records))
        path.write_text(text, encoding="utf-8")
        return path

    def inbox(self, name: str, content: Any, headers: str | None = None) -> None:
        folder = self.folder / "inbox"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
        if headers:
            (folder / f"{name}.headers").write_text(headers, encoding="utf-8")
        take(folder, self.landing, new_run_id(), self.settings.accounts)

    @contextmanager
    def tables(self, *names: str) -> Iterator[Any]:
        warehouse = Warehouse(self.folder / f"{new_run_id()}.duckdb", self.settings, AS_OF, "run")
        try:
            warehouse.load(self.landing)
            needed = set(names).union(*(warehouse.catalog.upstream(name) for name in names))
            for model in warehouse.catalog:
                if model.table in needed:
                    warehouse.build(model)
            yield lambda query: sorted(warehouse.con.execute(query).fetchall())
        finally:
            warehouse.close()

    def deploys(self, source: str = "custom", columns: str = COLUMNS) -> list[Any]:
        with self.tables(f"staging.{source}_deploys") as query:
            found: list[Any] = query(f"SELECT {columns} FROM staging.{source}_deploys")
            return found


# -- custom deploys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_all_formats_give_the_same_deploys(tmp_path: Path, kind: str) -> None:
    place = Place(tmp_path)
    path = tmp_path / f"deploys.{kind}"
    frame = pl.DataFrame(DEPLOYS, infer_schema_length=None)
    if kind == "csv":
        frame.write_csv(path)
    elif kind == "parquet":
        frame.write_parquet(path)
    else:
        place.write(path.name, DEPLOYS if kind == "jsonl" else json.dumps(DEPLOYS))
    report = place.give(path)
    assert str(report).startswith("Landed 2 custom deploys from 1 file") and not report.unknown_fields
    hour = SEPTEMBER
    minutes = timedelta(minutes=1)
    assert place.deploys() == [
        (
            *(
                "D-1",
                "checkout",
                "live",
                "1.4",
                "aa1",
                "success",
                hour,
                hour + 5 * minutes,
                "https://ci.example.com/1",
                None,
            ),
            *(["OPS-1", "OPS-2"], None),
        ),
        ("D-2", "checkout", "production", "1.3", None, "success", None, hour, None, "D-1", None, True),
    ]


def test_a_mixed_file_is_told_apart_record_by_record(tmp_path: Path) -> None:
    """A field of deploys does not make a deploy of what says when an incident happened, and the other way round."""
    place = Place(tmp_path)
    odd = {**INCIDENT, "external_id": "OPS-2", "environment": "production", "version": "2"}
    timeline = {
        "external_id": "OPS-3",
        "sha": "x",
        "timeline": [{"event_type": "detected", "at": "2026-09-01T10:07:00Z"}],
    }
    bare = {"external_id": "OPS-4", "title": "no stamp", "status": "success"}
    nulls = {**DEPLOYS[0], "external_id": "D-3", "detected_at": None, "resolved_at": "NA", "timeline": []}
    report = place.give(place.write("all.jsonl", [INCIDENT, *DEPLOYS, odd, timeline, bare, nulls]))
    assert str(report).startswith("Landed 4 custom records, 3 custom deploys from 1 file")
    assert report.unknown_fields == {"environment": 1, "version": 1, "sha": 1}
    with place.tables("staging.custom_deploys", "staging.custom_records") as query:
        assert query("SELECT external_id FROM staging.custom_deploys") == [("D-1",), ("D-2",), ("D-3",)]
        assert query("SELECT external_id FROM staging.custom_records") == [("OPS-1",), ("OPS-2",), ("OPS-3",)]
        assert query("SELECT external_id, reason FROM ops.quarantine") == [
            ("OPS-4", "no stamp, neither as a field nor in the timeline")
        ]


def test_a_later_import_replaces_and_is_taken_back(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.give(place.write("one.jsonl", DEPLOYS))
    changed = [{**DEPLOYS[1], "version": "1.5"}, {**DEPLOYS[0], "version": "0.9", "updated_at": "2026-09-01T10:05:59Z"}]
    second = place.give(place.write("two.jsonl", changed))
    assert place.deploys(columns="external_id, version") == [("D-1", "1.4"), ("D-2", "1.5")], "D-1 is an older version"
    undo(place.landing, second.extract_id)
    assert place.deploys(columns="external_id, version") == [("D-1", "1.4"), ("D-2", "1.3")]


def test_a_bad_deploy_names_file_and_line(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.give(
        place.write("bad.jsonl", [DEPLOYS[0], {**DEPLOYS[1], "finished_at": "2026-09-01T11:00:00", "status": "done"}])
    )
    with place.tables("staging.custom_deploys") as query:
        ((reference, reason),) = query("SELECT raw_reference, reason FROM ops.quarantine")
        assert reference.endswith("bad.jsonl:2)") and "/deploys/" in reference
        assert (
            "status is none of success" in reason and "finished_at has no offset and the source no time_zone" in reason
        )
        assert len(query("FROM staging.custom_deploys")) == 1


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Readers disagree on its value, and one such line would cost the whole file."""
    place = Place(tmp_path)
    place.give(
        place.write(
            "twice.jsonl",
            '{"external_id":"D-1","sha":"a","sha":"b","finished_at":"2026-09-01T11:00:00Z"}\n' + json.dumps(DEPLOYS[1]),
        )
    )
    assert place.deploys(columns="external_id") == [("D-2",)]


def test_deploys_come_by_the_inbox(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.inbox("deploys.json", DEPLOYS)
    assert place.deploys(columns="external_id") == [("D-1",), ("D-2",)]


def test_the_page_names_every_field_and_its_example_works(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "custom-records.md").read_text(encoding="utf-8")
    section = page.split("## Deploys\n")[1].split("\n## ")[0]
    assert [name for name in DEPLOY_FIELDS if f"`{name}`" not in section] == []
    place = Place(tmp_path)
    report = place.give(place.write("page.jsonl", section.split("```jsonl\n")[1].split("```")[0]))
    assert report.bodies["custom deploy"] == 3 and not report.unknown_fields
    with place.tables("staging.custom_deploys") as query:
        assert len(query("FROM staging.custom_deploys")) == 3 and query("FROM ops.quarantine") == []


# -- CDEvents ----------------------------------------------------------------------------------------------------------


def cdevent(what: str = "service.deployed.0.3.0", identity: str = "e1", **content: Any) -> dict[str, Any]:
    return {
        "context": {
            "specversion": "0.5.0",
            "id": identity,
            "source": "/ci/jenkins",
            "type": f"dev.cdevents.{what}",
            "timestamp": "2026-09-01T12:05:00.5+02:00",
        },
        "subject": {
            "id": "shops/checkout",
            "content": {
                "environment": {"id": "prod-eu"},
                "artifactId": "pkg:oci/checkout@sha256%3Aab12?tag=1#x",
                **content,
            },
        },
    }


def cloud_event(body: dict[str, Any]) -> dict[str, Any]:
    """In structured mode."""
    context = body["context"]
    about = {"specversion": "1.0", "id": context["id"], "source": context["source"], "type": context["type"]}
    return {**about, "datacontenttype": "application/json", "data": body}


def test_deploys_of_cdevents(tmp_path: Path) -> None:
    """Other types are kept and counted; published and removed bring nothing to an environment. Near versions are read."""
    place = Place(tmp_path, sources={"cdevents": {"services": {"shops/checkout": ["Checkout", "Cart"]}}})
    others = [
        "service.published.0.3.0",
        "service.removed.0.3.0",
        "build.finished.0.3.0",
        "incident.detected.0.3.0",
        "new.thing.1.0.0-draft",
    ]
    bodies = [
        cdevent(),
        cloud_event(cdevent("service.upgraded.0.2.0", "e2", artifactId=f"pkg:generic/checkout@{'A' * 40}")),
        cdevent("service.rolledback.0.4.0-draft", "e3", artifactId=None),
        *(cdevent(what, f"o{n}") for n, what in enumerate(others)),
    ]
    report = place.give(place.write("events.jsonl", bodies))
    assert str(report).startswith("Landed 8 CDEvents from 1 file")
    at = SEPTEMBER + timedelta(minutes=5, milliseconds=500)
    columns = "external_id, service, environment, version, sha, status, vendor_status, finished_at, finished_precision"
    columns += ", says_rollback"
    found = place.deploys("cdevents", columns)
    assert found[::2] == [
        ("/ci/jenkins#e1", "Cart", "prod-eu", "sha256:ab12", None, "success", "deployed", at, "exact", False),
        ("/ci/jenkins#e2", "Cart", "prod-eu", "A" * 40, "a" * 40, "success", "upgraded", at, "exact", False),
        ("/ci/jenkins#e3", "Cart", "prod-eu", None, None, "success", "rolledback", at, "exact", True),
    ]
    assert [row[1] for row in found[1::2]] == ["Checkout"] * 3
    (manifest,) = place.landing.manifests("inbox")
    assert manifest.facts["counts"] == {"cdevents_that_are_no_deploys": 5}


def test_an_event_that_is_delivered_twice_counts_once(tmp_path: Path) -> None:
    """In the inbox, in binary mode: its headers repeat the context. The same id of another source is another event."""
    place = Place(tmp_path)
    headers = "ce-specversion: 1.0\nce-type: dev.cdevents.service.deployed.0.3.0\nce-source: /ci/jenkins\nce-id: e1\n"
    place.inbox("one.json", cdevent(), headers)
    place.inbox("two.json", cloud_event(cdevent()))
    other = cdevent()
    other["context"]["source"] = "/ci/other"
    place.inbox("three.json", other)
    assert place.deploys("cdevents", "external_id, service") == [
        ("/ci/jenkins#e1", "checkout"),
        ("/ci/other#e1", "checkout"),
    ]


def test_an_event_without_a_time_is_quarantined(tmp_path: Path) -> None:
    place = Place(tmp_path)
    bodies = [cdevent(identity=f"e{n}") for n in range(5)]
    bodies[0]["context"]["timestamp"] = "soon"
    del bodies[1]["context"]["id"]
    del bodies[2]["context"]["source"]
    bodies[3]["subject"] = 7
    place.give(place.write("events.jsonl", bodies))
    with place.tables("staging.cdevents_deploys") as query:
        assert [row[0] for row in query("SELECT reason FROM ops.quarantine")] == [
            "context.timestamp is no instant: soon",
            "no context.id",
            "no context.source",
        ]
        found = query("SELECT external_id, service IS NULL FROM staging.cdevents_deploys")
        assert found == [("/ci/jenkins#e3", True), ("/ci/jenkins#e4", False)]


@pytest.mark.skipif(not SPECS.is_dir(), reason=f"no examples of the specification in {SPECS}")
def test_the_examples_of_the_specification_are_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    files = sorted(SPECS.glob("example_*.json"))
    report = place.give(*files)
    assert report.bodies["CDEvent"] == len(files) == 6
    found = place.deploys("cdevents", "vendor_status, environment, service, says_rollback")
    assert len(found) == 1, "the examples have one id and source, so they are one event"
    with place.tables("staging.cdevents_deploys") as query:
        assert query("FROM ops.quarantine") == []


# -- DevLake -----------------------------------------------------------------------------------------------------------


def devlake(**more: Any) -> dict[str, Any]:
    return {
        "id": "run-7",
        "displayTitle": "Deploy 7",
        "result": "SUCCESS",
        "environment": "PRODUCTION",
        "startedDate": "2026-09-01T12:00:00+02:00",
        "finishedDate": "2026-09-01T12:05:00+02:00",
        "deploymentCommits": [
            {
                "repoUrl": repo,
                "refName": "main",
                "commitSha": sha,
                "commitMsg": f"Change of {sha}",
                "startedDate": "2026-09-01T12:00:00+02:00",
                "finishedDate": "2026-09-01T12:04:00+02:00",
            }
            for repo, sha in (
                ("https://github.com/acme/checkout.git", "aa1"),
                ("git@gitlab.example.com:acme/ui/web.git", "bb2"),
            )
        ],
        **more,
    }


def test_bodies_of_the_webhook_of_devlake(tmp_path: Path) -> None:
    """A row for each repository; what is sent again replaces; stamps of the commits stand in for those of the deployment."""
    place = Place(tmp_path, sources={"devlake": {"services": {"acme/ui/web": "Web shop"}}})
    place.inbox("one.json", devlake(result="FAILURE"))
    place.inbox("two.json", devlake())
    single = devlake(id="run-8", result=None, environment=None, startedDate=None, finishedDate=None)
    report = place.give(
        place.write("more.jsonl", [single, devlake(id="run-9", result="ABORT"), devlake(id="run-10", result="NEW")])
    )
    assert str(report).startswith("Landed 3 DevLake deployments")
    at = SEPTEMBER
    columns = "external_id, service, environment, sha, status, vendor_status, started_at, finished_at"
    columns += ", finished_precision, title, is_shared"
    found = place.deploys("devlake", columns)
    ends = (at, at + timedelta(minutes=5), "exact", "Deploy 7", True)
    assert [row for row in found if row[0] == "run-7"] == [
        ("run-7", "Web shop", "PRODUCTION", "bb2", "success", "SUCCESS", *ends),
        ("run-7", "checkout", "PRODUCTION", "aa1", "success", "SUCCESS", *ends),
    ]
    assert {row[7] for row in found if row[0] == "run-8"} == {at + timedelta(minutes=4)}
    assert {row[4] for row in found if row[0] == "run-8"} == {"success"}
    assert {(row[0], row[4]) for row in found if row[0] in ("run-9", "run-10")} == {
        ("run-9", "cancelled"),
        ("run-10", None),
    }


def test_a_body_of_devlake_without_a_finish_is_quarantined(tmp_path: Path) -> None:
    place = Place(tmp_path)
    bodies = [
        devlake(id="a", finishedDate="soon"),
        devlake(id="b", finishedDate=None, deploymentCommits=[]),
        devlake(
            id="c",
            finishedDate=None,
            deploymentCommits=[{"repoUrl": "acme/x", "commitSha": "a", "finishedDate": "later"}],
        ),
        devlake(id="d", deploymentCommits=[]),
        devlake(id=None),
    ]
    place.give(place.write("bad.jsonl", bodies))
    with place.tables("staging.devlake_deploys") as query:
        assert [row[0] for row in query("SELECT reason FROM ops.quarantine")] == [
            "finishedDate is missing",
            "finishedDate is missing, or no instant, in a deploymentCommit",
            "finishedDate is no instant: soon",
            "no id",
        ]
        assert query("SELECT external_id, service FROM staging.devlake_deploys") == [("d", None)]


# -- odd records -------------------------------------------------------------------------------------------------------


def test_odd_custom_deploys_harm_no_other(tmp_path: Path) -> None:
    line = {
        "id": "D",
        "file": "f",
        "line": 1,
        "record": {"service": "s", "finished_at": "2026-09-01T10:00:00Z", "caused": ["x"]},
    }
    assert odd_record_problems(registry().sources["custom"], "deploys", line, tmp_path) == []


def variants(body: Any) -> Iterator[Any]:
    """Copies of a body in which one member, anywhere, has a value that its sender should not send."""
    values: list[Any] = [None, 7, -1e300, True, "", "text", [], {}, [[1]], {"a": {"b": [1]}}]
    if isinstance(body, dict):
        for name, value in body.items():
            yield from ({**body, name: odd} for odd in values)
            yield from ({**body, name: inner} for inner in variants(value))
    elif isinstance(body, list) and body:
        yield from ([inner, *body[1:]] for inner in variants(body[0]))


@pytest.mark.parametrize(("source", "body"), [("cdevents", cdevent()), ("devlake", devlake())])
def test_odd_bodies_harm_no_other(tmp_path: Path, source: str, body: dict[str, Any]) -> None:
    """Each is a deploy, or in quarantine, or of no sender; the sound ones before and after are as if they were alone."""
    place = Place(tmp_path)
    odd = [one for one in variants(body) if isinstance(one, dict)]
    second = json.loads(json.dumps(body).replace('"e1"', '"e2"').replace("run-7", "run-8"))
    place.give(place.write("odd.jsonl", [body, *odd, second]))
    with place.tables(f"staging.{source}_deploys", f"staging.{source}_words") as query:
        loads = query("SELECT fetched, normalised + duplicates + quarantined FROM ops.loads")
        assert len(odd) > 80 and sum(fetched for fetched, _ in loads) == len(odd) + 2
        assert all(fetched == counted for fetched, counted in loads)
        columns = "* EXCLUDE (external_id, landed_in)"
        last = "e2" if source == "cdevents" else "run-8"
        sound = query(f"SELECT {columns} FROM staging.{source}_deploys WHERE external_id LIKE '%{last}'")
        assert sound and all(row[1] == "checkout" or row[1] == "web" for row in sound)
