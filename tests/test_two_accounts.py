"""Two accounts of one vendor, from the command line to the published files.

Each account is a source of its own: its ids, high-water mark, deletions, settings and received bodies are never those of the
other one. The accounts named `..._eu` are served by a second simulator. For the hardest case it plays the same world, so that
both accounts hold records of the same ids.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import msgspec
import pytest
from support import land, settings_for
from support_e2e import (
    CLOUD,
    UNTIL,
    Result,
    clean_env,
    copy_of,
    differences,
    latest,
    mttr,
    query,
    scratch,
)

from mttr_pipeline.defs import build_defs
from mttr_pipeline.demo import Truth, VendorServer, World
from mttr_pipeline.intake.inbox import take
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit.declare import connection
from mttr_pipeline.warehouse.database import Warehouse

pytestmark = pytest.mark.slow  # whole runs of two accounts

VOLUMES = {"pagerduty": 30, "opsgenie": 20, "opsgenie_incident": 10, "jsm": 15, "jira": 20}
DAYS = 40  # some records are old enough to be deleted
TOMORROW = UNTIL + timedelta(days=1)
RECEIVED = Path(__file__).parent / "fixtures" / "received"
#: The name space of incident ids.
NAMESPACE = uuid.UUID(hex="7d1c4a0e2f0b5c1a9a7d5e0b3c9f6a41")


def eu(name: str) -> str:
    """The name that a vendor's account, or its kind of record, has in the second account."""
    return "opsgenie_eu_incident" if name == "opsgenie_incident" else f"{name}_eu"


def environment(first: VendorServer, second: VendorServer, *vendors: str) -> dict[str, str]:
    """The variables of both accounts of each vendor."""
    other = {}
    for vendor in vendors:
        prefix = vendor.upper()
        other |= {name.replace(prefix, f"{prefix}_EU", 1): value for name, value in second.env(vendor).items()}
    return {**first.env(*vendors), **other}


def of_second(rows: list[Truth]) -> list[Truth]:
    """The truth of a world as that of the second accounts."""
    return [msgspec.structs.replace(row, source=eu(row.source), tool=eu(row.tool)) for row in rows]


def of_cloud(
    world: World, now: datetime = UNTIL, tools: tuple[str, ...] = (*CLOUD, "opsgenie_incident")
) -> list[Truth]:
    return [row for row in world.truth(now) if row.tool in tools]


def rows_of(data_dir: Path, source: str, columns: str = "* EXCLUDE (incident_id, source)") -> list[tuple[Any, ...]]:
    return query(data_dir, f"SELECT {columns} FROM incidents WHERE source = ? ORDER BY external_id, episode", [source])


def marks(data_dir: Path) -> dict[str, datetime]:
    """Account -> high-water mark."""
    found = query(data_dir, "SELECT source, max(data_as_of) FROM source_runs GROUP BY source")
    return {source: mark for source, mark in found if mark}


# -- two histories -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_account_has_the_true_history_of_its_own_vendor(tmp_path: Path) -> None:
    """Every vendor that is pulled, two accounts each, with two histories.

    One table of the other account in any of the models, or one setting, and a stamp or an id would be wrong.
    """
    config = tmp_path / "mttr.toml"
    config.write_text("".join(f'[sources.{name}_eu]\nkind = "{name}"\n' for name in CLOUD))
    options = ("--config", config, "--data-dir", tmp_path / "data")
    worlds = [World(seed, UNTIL, days=DAYS, volumes=VOLUMES) for seed in (5, 6)]
    with VendorServer(worlds[0], limits=None) as first, VendorServer(worlds[1], limits=None) as second:
        env = environment(first, second, *CLOUD)
        doctor = mttr(*options, "doctor", env=env).ended(0)
        mttr(*options, "run", "--as-of", UNTIL.isoformat(), env=env).ended(0)
    assert differences(tmp_path / "data", [*of_cloud(worlds[0]), *of_second(of_cloud(worlds[1]))]) == []
    names = sorted((*CLOUD, *map(eu, CLOUD)))
    assert all(f"\n{name} " in doctor.out for name in names) and doctor.out.count(" reachable at 127.0.0.1:") == len(
        names
    )
    assert sorted(path.name for path in (tmp_path / "data" / "landing").iterdir()) == names
    runs = query(tmp_path / "data", "SELECT source, status FROM source_runs ORDER BY source")
    assert runs == [(name, "complete") for name in names]


# -- the same ids in both ----------------------------------------------------------------------------------------------

TWINS = ("pagerduty", "opsgenie")
KINDS = (*TWINS, "opsgenie_incident")
OPTIONS = """
[sources.pagerduty_eu]
kind = "pagerduty"
severity = { P1 = "SEV4" }

[sources.opsgenie_eu]
kind = "opsgenie"
since = 2025-09-20T00:00:00Z
web_url = "https://eu.example.com"
"""


@contextmanager
def at(now: datetime, *servers: VendorServer) -> Iterator[None]:
    """Another present at these vendors."""
    for server in servers:
        server.now = now
    yield
    for server in servers:
        server.now = UNTIL


@dataclass(frozen=True)
class Twins:
    """A data directory, and the two servers that play one world."""

    data_dir: Path
    config: Path
    world: World
    first: VendorServer
    second: VendorServer
    doctor: Result
    last: Result | None = None

    def run(self, target: Path, as_of: datetime, *options: object, config: str = OPTIONS) -> Twins:
        """A further run on a copy of the data directory."""
        data_dir = copy_of(self.data_dir, target / "data") if self.last else self.data_dir
        (target / "mttr.toml").write_text(config)
        self.first.clear_log(), self.second.clear_log()
        result = mttr(
            *("--config", target / "mttr.toml", "--data-dir", data_dir, "run", "--as-of", as_of.isoformat(), *options),
            env=environment(self.first, self.second, *TWINS),
        )
        return replace(self, data_dir=data_dir, config=target / "mttr.toml", last=result)


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    """Both accounts hold the same records. The second one has settings of its own."""
    folder = scratch()
    volumes = {name: n for name, n in VOLUMES.items() if name not in ("jsm", "jira")}
    world = World(7, UNTIL, days=DAYS, volumes=volumes)
    with VendorServer(world, limits=None) as first, VendorServer(world, limits=None) as second:
        (folder / "mttr.toml").write_text(OPTIONS)
        env = environment(first, second, *TWINS)
        doctor = mttr("--config", folder / "mttr.toml", "--data-dir", folder / "data", "doctor", env=env)
        yield Twins(folder / "data", folder / "mttr.toml", world, first, second, doctor).run(folder, UNTIL)


def test_incident_ids_never_collide(twins: Twins) -> None:
    """The vendor's ids are the same in both accounts: the id of an incident carries the name of its account.

    That of the account which needs no configuration is what it always was: UUID version 5 of source and id.
    """
    assert twins.last and twins.last.code == 0
    found = query(twins.data_dir, "SELECT incident_id, source, external_id, episode FROM incidents")
    assert len({incident_id for incident_id, *_ in found}) == len(found)
    for incident_id, source, external_id, episode in found:
        parts = [source, external_id, *([str(episode)] if episode > 1 else [])]
        assert incident_id == str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))
    each = "SELECT external_id, episode FROM records WHERE source = ? ORDER BY ALL"  # two pages of one key are one incident
    ids = query(twins.data_dir, each, ["pagerduty"])
    assert ids and ids == query(twins.data_dir, each, ["pagerduty_eu"])


def test_the_doctor_asks_every_account(twins: Twins) -> None:
    """Each has a line with its own name, and its answer is that of its own address."""
    lines = twins.doctor.ended(0).out.splitlines()
    for name, server in (("pagerduty", twins.first), ("pagerduty_eu", twins.second)):
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert f" reachable at {server.address.removeprefix('http://')}" in line
    assert any("PagerDuty (pagerduty_eu) reachable" in line for line in lines)


def test_readers_find_the_names_of_the_accounts(twins: Twins) -> None:
    """The terminal, the report page, the documents, `mttr stats` and data quality are about accounts, not about vendors."""
    data_dir = twins.data_dir
    sources = {source for (source,) in query(data_dir, "SELECT DISTINCT source FROM incidents")}
    assert sources == {*KINDS, *map(eu, KINDS)}
    assert twins.last and all(f" {eu(name)} " in twins.last.out for name in TWINS)
    page = (latest(data_dir) / "report.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in page for name in sources)
    document = json.loads((latest(data_dir) / "json" / "data_quality.json").read_text())
    assert {light["source"] for light in document["lights"]} == {*sources, "all"}
    assert {pull["source"] for pull in document["sources"]} == {*TWINS, *map(eu, TWINS)}
    counted = query(data_dir, "SELECT source, total FROM data_quality WHERE dq_check = 'coverage_resolved_at'")
    counts = query(
        data_dir,
        "SELECT source, count(*) FROM incidents WHERE kind = 'incident' AND duplicate_of IS NULL GROUP BY source",
    )
    assert sorted(counted) == sorted(counts)
    stats = mttr("--data-dir", data_dir, "stats", "--format", "json").ended(0)
    assert json.loads(stats.out)[0]["incidents_matched"] == sum(n for _, n in counts)


def test_the_first_account_is_what_it_would_be_alone(twins: Twins) -> None:
    """The settings of the second change nothing in it, nor do the records of the same ids."""
    mine = [row for row in of_cloud(twins.world) if row.source in KINDS]
    missing = [text for text in differences(twins.data_dir, mine) if "is not in the truth" not in text]
    assert missing == []


def test_every_account_has_its_own_settings(twins: Twins) -> None:
    """Severity words, the reach of the first pull, the address of links."""
    severities = "SELECT DISTINCT severity FROM incidents WHERE source = ? AND vendor_severity = 'P1'"
    assert query(twins.data_dir, severities, ["pagerduty"]) == [("SEV1",)]
    assert query(twins.data_dir, severities, ["pagerduty_eu"]) == [("SEV4",)]
    since = datetime(2025, 9, 20, tzinfo=UTC)
    held = dict(rows_of(twins.data_dir, "opsgenie_incident", "external_id, detected_at"))
    missing = held.keys() - dict(rows_of(twins.data_dir, "opsgenie_eu_incident", "external_id, detected_at")).keys()
    assert missing and all(held[external_id] < since for external_id in missing)
    addresses = query(twins.data_dir, "SELECT DISTINCT source, url[:22] FROM incidents WHERE source LIKE 'opsgenie%'")
    assert ("opsgenie_eu", "https://eu.example.com") in addresses
    assert ("opsgenie", "https://eu.example.com") not in addresses


@pytest.fixture(scope="module")
def second_night(twins: Twins) -> Twins:
    """A day later. Time passed at the first vendor only, and the second refuses its Opsgenie account."""
    with at(TOMORROW, twins.first):
        twins.second.set_faults({"opsgenie": "unauthorized"})
        night = twins.run(scratch(), TOMORROW)
        twins.second.set_faults("none")
    return night


def test_a_failing_account_leaves_the_others_alone(second_night: Twins, twins: Twins) -> None:
    """Exit code 3 and the name of the account with its own variable; its rows are those of the last good night."""
    run = second_night.last
    assert run and run.ended(3)
    (sentence,) = [line for line in run.err.splitlines() if "is stale" in line]
    assert sentence.startswith("mttr: opsgenie_eu is stale: Opsgenie (opsgenie_eu): "), sentence
    assert "OPSGENIE_EU_API_KEY" in sentence
    failed = "SELECT source FROM data_quality WHERE dq_check = 'last_pull_failed' AND n > 0"
    assert query(second_night.data_dir, failed) == [("opsgenie_eu",)]
    before, after = marks(twins.data_dir), marks(second_night.data_dir)
    assert after["opsgenie_eu"] == before["opsgenie_eu"] and after["opsgenie"] > before["opsgenie"]
    columns = "external_id, severity, detected_at, acknowledged_at, resolved_at"
    for name in ("opsgenie_eu", "opsgenie_eu_incident"):
        assert rows_of(second_night.data_dir, name, columns) == rows_of(twins.data_dir, name, columns)


def test_the_next_night_is_incremental_for_every_account(second_night: Twins) -> None:
    """What was landed of one account is not taken for the history of the other."""
    plans = {
        manifest.source: manifest.plan["mode"]
        for manifest in Landing(second_night.data_dir / "landing").manifests()
        if manifest.status == "complete"
    }
    assert plans == {
        "opsgenie_eu": "backfill",
        **dict.fromkeys(("pagerduty", "opsgenie", "pagerduty_eu"), "incremental"),
    }
    mine = [row for row in of_cloud(second_night.world, TOMORROW) if row.source in KINDS]
    missing = [text for text in differences(second_night.data_dir, mine) if "is not in the truth" not in text]
    assert missing == []


def test_a_record_that_one_account_deleted_stays_in_the_other(second_night: Twins, twins: Twins) -> None:
    """Both hold the same id; only the first vendor does not have it any more."""
    deleted = {row.external_id for row in of_cloud(twins.world, TOMORROW, ("pagerduty",)) if row.deleted}
    before = {row[0] for row in rows_of(twins.data_dir, "pagerduty_eu", "external_id")}
    assert deleted & before, "the world deletes nothing that the second account holds"
    kept = {row[0] for row in rows_of(second_night.data_dir, "pagerduty_eu", "external_id")}
    gone = {row[0] for row in rows_of(second_night.data_dir, "pagerduty", "external_id")}
    assert before <= kept and not deleted & gone
    counted = "SELECT source, n FROM data_quality WHERE dq_check = 'deleted_at_source' AND source LIKE 'pagerduty%'"
    assert dict(query(second_night.data_dir, counted)) == {"pagerduty": len(deleted & before), "pagerduty_eu": 0}


@pytest.mark.slow
def test_only_the_account_that_is_asked_for_is_pulled(twins: Twins, tmp_path: Path) -> None:
    """`--source pagerduty_eu` sends no request with the credentials of another account."""
    with at(TOMORROW, twins.first, twins.second):
        night = twins.run(tmp_path, TOMORROW, "--source", "pagerduty_eu")
    assert night.last and night.last.ended(0)
    assert twins.first.log == [] and {line.vendor for line in twins.second.log} == {"pagerduty"}
    before, after = marks(twins.data_dir), marks(night.data_dir)
    assert after.pop("pagerduty_eu") > before.pop("pagerduty_eu") and after == before


@pytest.mark.slow
def test_an_account_that_is_taken_out_comes_back(twins: Twins, tmp_path: Path) -> None:
    """Somebody deletes a section of mttr.toml: the nights go on, nothing is lost, and the section brings all of it back."""
    without = twins.run(tmp_path, UNTIL, config='[sources.opsgenie_eu]\nkind = "opsgenie"\n')
    assert without.last and without.last.ended(0)
    assert rows_of(without.data_dir, "pagerduty_eu") == []
    landed = sum(manifest.records for manifest in Landing(without.data_dir / "landing").manifests("pagerduty_eu"))
    told = query(without.data_dir, "SELECT DISTINCT reason FROM quarantine WHERE source = 'pagerduty_eu'")
    assert told and all(
        reason.endswith("records of a stream that no installed and configured source reads") for (reason,) in told
    )
    counted = "SELECT records_fetched, quarantined FROM source_runs WHERE source = 'pagerduty_eu'"
    assert query(without.data_dir, counted) == [(landed, landed)]
    assert rows_of(without.data_dir, "pagerduty") == rows_of(twins.data_dir, "pagerduty")

    as_of = ("--as-of", UNTIL.isoformat())
    mttr("--config", twins.config, "--data-dir", without.data_dir, "rebuild", *as_of).ended(0)
    assert rows_of(without.data_dir, "pagerduty_eu") == rows_of(twins.data_dir, "pagerduty_eu") != []
    assert query(without.data_dir, "FROM quarantine") == []


def test_every_account_has_its_own_rate_limit(twins: Twins) -> None:
    """An account that has used up its limit waits; the other one goes on meanwhile."""
    configured = {"sources": {"pagerduty_eu": {"kind": "pagerduty", "requests_per_minute": 2}}}
    settings = settings_for(scratch(), configured, environment(twins.first, twins.second, "pagerduty"))
    limited, free = connection(settings.account("pagerduty_eu")), connection(settings.account("pagerduty"))
    twins.first.clear_log(), twins.second.clear_log()
    limited.check(), limited.check()

    def third() -> None:
        with pytest.raises(Exception, match="never"):
            limited.check()

    waiting = threading.Thread(target=third, daemon=True)  # it waits for a minute, the test does not
    waiting.start()
    for _ in range(5):
        free.check()
    assert waiting.is_alive()
    assert (len(twins.first.log), len(twins.second.log)) == (5, 2)


# -- received bodies ---------------------------------------------------------------------------------------------------

BOTH = {"sources": {eu(name): {"kind": name} for name in ("pagerduty", "opsgenie", "jira", "alertmanager")}}
PAGERDUTY_BODY = (RECEIVED / "pagerduty_triggered.json").read_bytes()
OPSGENIE_BODY = (RECEIVED / "opsgenie.jsonl").read_bytes().splitlines()[0]


def deliver(inbox: Path, name: str, body: bytes, secret: str | None = None) -> None:
    """A body as a receiver writes it, signed with a secret of PagerDuty's when one is given."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if secret:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        path.with_name(f"{path.name}.headers").write_text(f"X-PagerDuty-Signature: v1={digest}\n")
    path.write_bytes(body)


def test_a_body_belongs_to_the_account_that_signed_it_or_to_its_folder(tmp_path: Path) -> None:
    """The bodies of two accounts look alike: here they are the same, byte for byte."""
    (tmp_path / "mttr.toml").write_text("".join(f'[sources.{eu(name)}]\nkind = "{name}"\n' for name in TWINS))
    inbox = tmp_path / "data" / "inbox"
    deliver(inbox, "first.json", PAGERDUTY_BODY, "one")
    deliver(inbox, "second.json", PAGERDUTY_BODY, "two")
    deliver(inbox, "forged.json", PAGERDUTY_BODY, "three")
    deliver(inbox, "alert.json", OPSGENIE_BODY)
    deliver(inbox, "opsgenie_eu/alert.json", OPSGENIE_BODY)
    env = {"PAGERDUTY_WEBHOOK_SECRET": "one", "PAGERDUTY_EU_WEBHOOK_SECRET": "two"}
    options = ("--config", tmp_path / "mttr.toml", "--data-dir", tmp_path / "data")
    mttr(*options, "run", "--as-of", "2026-11-01T00:00:00Z", env=env).ended(0)
    alert = json.loads(OPSGENIE_BODY)["alert"]["alertId"]
    found = query(tmp_path / "data", "SELECT source, external_id FROM incidents ORDER BY source")
    assert found == [
        ("opsgenie", alert),
        ("opsgenie_eu", alert),
        ("pagerduty", "Q1ABCDEF2345"),
        ("pagerduty_eu", "Q1ABCDEF2345"),
    ]
    refused = query(tmp_path / "data", "SELECT raw_reference, reason FROM quarantine")
    assert len(refused) == 1 and "inbox/forged.json" in refused[0][0] and "X-PagerDuty-Signature" in refused[0][1]
    assert [path.name for path in inbox.glob("taken/*/opsgenie_eu/*")] == ["alert.json"]


@pytest.mark.parametrize(
    ("place", "env", "account"),
    [
        ("", {}, "pagerduty"),
        ("pagerduty_eu/", {}, "pagerduty_eu"),
        ("pagerduty_eu/", {"PAGERDUTY_WEBHOOK_SECRET": "one"}, "pagerduty_eu"),
        ("", {"PAGERDUTY_EU_WEBHOOK_SECRET": "two"}, None),
        ("", {"PAGERDUTY_EU_WEBHOOK_SECRET": "two", "PAGERDUTY_TOKEN": "t"}, "pagerduty"),
        ("pagerduty/", {"PAGERDUTY_EU_WEBHOOK_SECRET": "two"}, "pagerduty"),
        ("pagerduty_eu/", {"PAGERDUTY_EU_WEBHOOK_SECRET": "two"}, None),
        ("opsgenie_eu/", {}, "pagerduty"),
    ],
)
def test_who_an_unsigned_body_is_believed_for(
    tmp_path: Path, place: str, env: dict[str, str], account: str | None
) -> None:
    """A secret on one account must not be evaded by the account that nobody set up. None: the body goes to quarantine."""
    accounts = settings_for(tmp_path, BOTH, env).accounts
    deliver(tmp_path / "inbox", f"{place}one.json", PAGERDUTY_BODY)
    taken = take(tmp_path / "inbox", Landing(tmp_path / "landing"), "run-1", accounts)
    assert taken.report and not taken.stuck
    assert (taken.report.landed, taken.report.unreadable) == ((1, 0) if account else (0, 1))
    (manifest,) = Landing(tmp_path / "landing").manifests("inbox")
    assert [file.stream for file in manifest.files] == [account or "pagerduty_eu"]


# -- tables ------------------------------------------------------------------------------------------------------------


def staged(
    folder: Path, configured: dict[str, Any], streams: dict[str, dict[str, list[Any]]], *tables: str
) -> Warehouse:
    """A warehouse with these payloads loaded, account by account, and these tables built with all that they are made of."""
    landing = Landing(folder / "landing")
    for source, payloads in streams.items():
        land(landing, source, payloads)
    warehouse = Warehouse(folder / "work.duckdb", settings_for(folder, configured), UNTIL, "run-1")
    warehouse.load(landing)
    wanted = {*tables}.union(*(warehouse.catalog.upstream(table) for table in tables))
    for model in warehouse.catalog:
        if model.table in wanted:
            warehouse.build(model)
    return warehouse


def test_a_time_zone_is_that_of_one_account(tmp_path: Path) -> None:
    """An account whose instants carry no offset: without a zone they are set aside, in the account that has one they are read."""
    incident = {"id": "Q1", "status": "triggered", "urgency": "high", "created_at": "2025-09-20T12:00:00"}
    configured = {"sources": {"pagerduty_eu": {"kind": "pagerduty", "time_zone": "Europe/Berlin"}}}
    streams = {name: {"incidents": [incident]} for name in ("pagerduty", "pagerduty_eu")}
    warehouse = staged(tmp_path, configured, streams, "core.incidents")
    try:
        found = warehouse.con.execute("SELECT source, detected_at FROM mart.incidents").fetchall()
        assert found == [("pagerduty_eu", datetime(2025, 9, 20, 10, tzinfo=UTC))]
        set_aside = warehouse.con.execute("SELECT source, reason FROM ops.quarantine").fetchall()
        assert [source for source, _ in set_aside] == ["pagerduty"] and "no time_zone" in set_aside[0][1]
    finally:
        warehouse.close()


@pytest.mark.parametrize(
    ("sites", "web_url", "expected"),
    [
        (("acme", "acme"), None, "https://acme.atlassian.net"),
        (("acme", "globex"), None, None),
        (("acme", "globex"), "https://globex.atlassian.net", "https://globex.atlassian.net"),
    ],
    ids=["one site", "two sites", "two sites and a setting"],
)
def test_an_alert_of_jsm_leads_to_no_wrong_site(
    tmp_path: Path, sites: tuple[str, str], web_url: str | None, expected: str | None
) -> None:
    """Alerts do not name their site, it is that of the issues: with two accounts of Jira that may be two sites."""
    configured: dict[str, Any] = {
        "sources": {"jira_eu": {"kind": "jira"}, "jsm": {"web_url": web_url} if web_url else {}}
    }
    created = {"created": "2025-09-20T12:00:00.000+0000", "updated": "2025-09-20T12:00:00.000+0000"}
    streams: dict[str, dict[str, list[Any]]] = {
        name: {
            "issues": [
                {"id": "1", "key": "OPS-1", "self": f"https://{site}.atlassian.net/rest/api/2/1", "fields": created}
            ]
        }
        for name, site in zip(("jira", "jira_eu"), sites, strict=True)
    }
    streams["jsm"] = {
        "alerts": [{"id": "a-1", "createdAt": "2025-09-20T12:00:00Z", "updatedAt": "2025-09-20T12:00:00Z"}]
    }
    warehouse = staged(tmp_path, configured, streams, "staging.jsm_records")
    try:
        found = warehouse.con.execute("SELECT url FROM staging.jsm_records").fetchall()
        assert found == [(expected and f"{expected}/jira/ops/alerts/a-1",)]
    finally:
        warehouse.close()


# -- Dagster -----------------------------------------------------------------------------------------------------------


@contextmanager
def configured_by(folder: Path, content: str) -> Iterator[None]:
    """The environment of a code location: nothing but the configuration file and the data directory."""
    (folder / "mttr.toml").write_text(content)
    env = clean_env({"MTTR_CONFIG": str(folder / "mttr.toml"), "MTTR_DATA_DIR": str(folder / "data")})
    with patch.dict(os.environ, env, clear=True):
        yield


def test_dagster_has_the_assets_of_both_accounts(tmp_path: Path) -> None:
    """Whoever opens the UI sees each account's landing zone and tables; a name that cannot be used leaves the usual ones."""
    with configured_by(tmp_path, OPTIONS):
        keys = {spec.key.to_user_string() for spec in build_defs().resolve_all_asset_specs()}
    for name in ("pagerduty", "pagerduty_eu"):
        assert {f"landing/{name}", f"raw/{name}_incidents", f"staging/{name}_records"} <= keys
    for unusable in ('[sources.inbox]\nkind = "pagerduty"\n', '[sources.pulled]\nkind = "opsgenie"\n'):
        with configured_by(tmp_path, unusable):
            keys = {spec.key.to_user_string() for spec in build_defs().resolve_all_asset_specs()}
        assert "landing/pagerduty" in keys and "landing/pulled" not in keys


def test_a_run_with_other_accounts_than_the_loaded_definitions_is_refused(tmp_path: Path) -> None:
    """The assets are made when the code is loaded: a later account would be pulled by none of them, in silence."""
    with configured_by(tmp_path, OPTIONS):
        definitions = build_defs()
    with (
        configured_by(tmp_path, '[sources.opsgenie_eu]\nkind = "opsgenie"\n'),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        result = definitions.resolve_job_def("nightly").execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    assert not result.success
    said = " ".join(str(getattr(event.event_specific_data, "error", "")) for event in result.all_events)
    assert (
        "The accounts pagerduty_eu were added or taken out since Dagster loaded the code; reload the code location"
        in said
    )
    assert not (tmp_path / "data" / "published").exists()


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[sources.pagerduty_eu]\nkind = "pd"\n', "'sources.pagerduty_eu.kind': there is no source 'pd'; use one of"),
        (
            '[sources.pagerduty_eu]\nkind = ["pagerduty"]\n',
            "'sources.pagerduty_eu.kind': there is no source ['pagerduty']",
        ),
        (
            "[sources.pagerduty_eu]\nsince = 2025-01-01\n",
            'name the source that it is an account of, like kind = "pagerduty".',
        ),
        ('[sources.jira]\nkind = "pagerduty"\n', "'sources.jira.kind': jira is a source itself; choose another name"),
        ('[sources.opsgenie_incident]\nkind = "opsgenie"\n', "the source name opsgenie_incident is taken"),
        ('[sources."PagerDuty EU"]\nkind = "pagerduty"\n', "'PagerDuty EU' is not."),
        (f'[sources.{"a" * 41}]\nkind = "pagerduty"\n', "a letter and up to 39 more letters, digits and _"),
        (
            '[sources.inbox]\nkind = "pagerduty"\n',
            "the name inbox is reserved; choose another name, such as pagerduty_inbox.",
        ),
        (
            '[sources.alert]\nkind = "pagerduty"\n',  # ALERT_WEBHOOK_SECRET says where alerts go
            "the name alert is reserved; choose another name, such as pagerduty_alert.",
        ),
        ('[sources.alert_smtp]\nkind = "jira"\n', "the name alert_smtp is reserved"),  # ALERT_SMTP_URL
        ('[sources.mttr]\nkind = "pagerduty"\n', "the name mttr is reserved"),
        ('[sources.tool]\nkind = "custom"\n', "custom has no accounts, its records are imported"),
        ('[sources.jira_api]\nkind = "pagerduty"\n', "jira_api and jira would both read the variable JIRA_API_TOKEN"),
        ('[sources.pulled]\nkind = "opsgenie"\n', "would make the table staging.pulled_alerts, which is there already"),
        ('[sources.pagerduty_eu]\nkind = "pagerduty"\nkey = 1\n', "unknown key 'sources.pagerduty_eu.key'"),
    ],
    ids=lambda value: value.splitlines()[0] if value.startswith("[") else "",
)
def test_an_account_that_cannot_be_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    """Exit code 2 before anything is asked or written; hours later it would be a table that nobody can explain."""
    (tmp_path / "mttr.toml").write_text(content)
    options = ("--config", tmp_path / "mttr.toml", "--data-dir", tmp_path / "data")
    result = mttr(*options, "run", env={"PAGERDUTY_TOKEN": "token", "PAGERDUTY_API_URL": "http://127.0.0.1:9"}).ended(2)
    assert said in result.err and result.err.startswith("mttr: ") and result.err.count("\n") == 1, result.err
    assert not (tmp_path / "data").exists()
