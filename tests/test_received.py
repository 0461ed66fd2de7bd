"""Received events: the inbox folder and webhook bodies, from a file to the published incident.

How they merge with what was pulled is in test_received_merge. Bodies are files in `fixtures/received`; what must come of
them stands in its `incidents.csv`.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from support import AS_OF, build_all, drawn, open_warehouse, rows, settings_for
from support_e2e import REPOSITORY, content, every_byte, latest, mttr, query

from mttr_pipeline.intake import inbox
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.warehouse.database import Warehouse

FIXTURES = Path(__file__).parent / "fixtures" / "received"
BODIES = sorted(path for path in FIXTURES.iterdir() if path.suffix in (".json", ".jsonl"))
TABLES = ("core.incidents", "mart.records", "mart.incident_events", "mart.source_runs", "mart.quarantine")
CLOCK = ("--as-of", AS_OF.isoformat())


def drop(data_dir: Path, name: str, body: Any, headers: dict[str, str] | None = None) -> Path:
    """A file in the inbox, written as the documentation says: headers first, the body under another name, then renamed."""
    folder = data_dir / "inbox"
    folder.mkdir(parents=True, exist_ok=True)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    if headers is not None:
        (folder / f"{name}.headers").write_text("".join(f"{key}: {value}\n" for key, value in headers.items()))
    (folder / f"{name}.tmp").write_bytes(raw)
    return (folder / f"{name}.tmp").rename(folder / name)


def take(data_dir: Path, run_id: str = "", **secrets: str) -> inbox.Taken:
    env = {f"{account.upper()}_WEBHOOK_SECRET": secret for account, secret in secrets.items()}
    accounts = settings_for(data_dir, env=env).accounts
    return inbox.take(data_dir / "inbox", Landing(data_dir / "landing"), run_id or new_run_id(), accounts)


@contextmanager
def built(data_dir: Path, as_of: datetime = AS_OF) -> Iterator[Warehouse]:
    """What a night makes of the landing zone, every promise of the tables held."""
    warehouse = open_warehouse(data_dir, as_of=as_of, after_nothing=True)
    try:
        warehouse.load(Landing(data_dir / "landing"))
        build_all(warehouse, TABLES)
        uncounted = "SELECT * FROM ops.loads WHERE fetched <> normalised + duplicates + quarantined"
        assert rows(warehouse.con, uncounted) == []
        yield warehouse
    finally:
        warehouse.close()


def incidents(warehouse: Warehouse, columns: str = "source, external_id") -> list[tuple[Any, ...]]:
    return warehouse.con.execute(
        f"SELECT {columns} FROM mart.incidents ORDER BY source, external_id, episode"
    ).fetchall()


def counts(warehouse: Warehouse, source: str = "inbox") -> list[tuple[int, int, int, int]]:
    """Landed, normalised, repeats and quarantined of every taking, the oldest first."""
    return warehouse.con.execute(
        "SELECT records_fetched, records_normalised, duplicates_dropped, quarantined FROM mart.source_runs "
        "WHERE source = ? ORDER BY started_at",
        [source],
    ).fetchall()


def reasons(warehouse: Warehouse) -> list[str]:
    return [row["reason"] for row in rows(warehouse.con, "SELECT reason FROM mart.quarantine ORDER BY raw_reference")]


def alert(status: str, starts: str, ends: str = "0001-01-01T00:00:00Z", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "Down", "service": "Search", **labels},
        "annotations": {},
        "startsAt": starts,
        "endsAt": ends,
        "fingerprint": "aa00",
    }


def group(*alerts: Any, **more: Any) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "alerts": list(alerts), "externalURL": "http://am.example.com", **more}


# -- every sender ------------------------------------------------------------------------------------------------------

EXPECTED = list(csv.reader((FIXTURES / "incidents.csv").read_text(encoding="utf-8").splitlines()))


def published_incidents(data_dir: Path) -> list[list[str]]:
    shown = ", ".join(f"coalesce({name}::VARCHAR, '')" for name in EXPECTED[0])
    return [list(row) for row in query(data_dir, f"SELECT {shown} FROM incidents ORDER BY source, external_id")]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """`mttr run` with nothing but an inbox, every body of the fixtures in it; the data directory and what it printed."""
    data_dir = tmp_path_factory.mktemp("received") / "data"
    for path in BODIES:
        drop(data_dir, path.name, path.read_bytes())
    return data_dir, mttr("--data-dir", data_dir, "run", *CLOCK).ended(0).out


def test_the_bodies_of_every_sender_become_incidents_without_any_source(received: tuple[Path, str]) -> None:
    """No credentials, no pull: an inbox alone is something to do, and each sender's words are understood."""
    data_dir, printed = received
    assert published_incidents(data_dir) == EXPECTED[1:]
    merged = "SELECT external_id, role FROM records WHERE role <> 'primary'"
    assert [tuple(row) for row in query(data_dir, merged)] == [("Q1MERGED0001", "duplicate")]
    assert [line.split()[:4] for line in printed.splitlines() if "inbox" in line] == [["inbox", "complete", "25", "0"]]
    assert [path.name for path in (data_dir / "inbox").iterdir()] == ["taken"]
    assert sorted(path.name for path in (data_dir / "inbox").glob("taken/*/*")) == [path.name for path in BODIES]


@pytest.mark.slow
def test_a_rebuild_gives_the_same_bytes_and_takes_nothing(received: tuple[Path, str], tmp_path: Path) -> None:
    """The landing zone is all there is: a rebuild must not depend on the folder."""
    data_dir = shutil.copytree(received[0], tmp_path / "data", symlinks=True)
    before = latest(data_dir)
    drop(data_dir, "later.json", group(alert("firing", "2026-10-30T10:00:00Z")))
    mttr("--data-dir", data_dir, "rebuild", *CLOCK).ended(0)
    assert (data_dir / "inbox" / "later.json").exists() and latest(data_dir) != before
    left_out = {"mttr.duckdb", "manifest.json", "latest.json"}  # they name their own run
    assert content(before, leave_out=left_out) == content(latest(data_dir), leave_out=left_out)


@pytest.mark.slow
def test_import_takes_the_same_files(tmp_path: Path) -> None:
    """Bodies that were kept for months come in through the same door, custom records beside them."""
    data_dir = tmp_path / "data"
    custom = tmp_path / "one.json"
    custom.write_text('{\n "external_id": "C-1",\n "detected_at": "2026-10-30T10:00:00Z"\n}\n')
    told = mttr("--data-dir", data_dir, "import", *BODIES, custom).ended(0).out
    counted = (
        "1 custom record, 3 Alertmanager alerts, 7 Jira events, 7 Opsgenie events, 8 PagerDuty events from 6 files"
    )
    assert f"Landed {counted}" in told
    mttr("--data-dir", data_dir, "run", *CLOCK).ended(0)
    found = published_incidents(data_dir)
    assert [row for row in found if row[0] != "custom"] == EXPECTED[1:] and len(found) == len(EXPECTED)


def test_the_example_is_a_body(tmp_path: Path) -> None:
    drop(tmp_path, "example.json", (REPOSITORY / "examples" / "alertmanager.json").read_bytes())
    take(tmp_path)
    with built(tmp_path) as warehouse:
        assert len(incidents(warehouse)) == 3


@pytest.mark.slow
def test_senders_and_records_may_be_mixed_in_one_file(tmp_path: Path) -> None:
    """Something that appends every body to one file of the day is the simplest receiver there is."""
    lines = [line for path in BODIES if path.suffix == ".jsonl" for line in path.read_bytes().splitlines()]
    lines += [json.dumps(json.loads(path.read_bytes())).encode() for path in BODIES if path.suffix == ".json"]
    lines.append(b'{"external_id": "C-1", "detected_at": "2026-10-30T10:00:00Z"}')
    random.Random(1).shuffle(lines)
    drop(tmp_path, "day.jsonl", b"\n".join(lines))
    bodies = [json.loads(line) for line in lines]
    drop(tmp_path / "array", "day.json", bodies)
    found = []
    for folder in (tmp_path, tmp_path / "array"):
        take(folder)
        with built(folder) as warehouse:
            found.append(incidents(warehouse, "source, external_id, detected_at, acknowledged_at, resolved_at"))
    assert found[0] == found[1] and len(found[0]) == len(EXPECTED)


# -- Alertmanager ------------------------------------------------------------------------------------------------------


def test_the_resolve_wins_over_a_late_repeat_and_a_new_start_is_another_record(tmp_path: Path) -> None:
    """Alertmanager repeats what fires, and retries what failed: deliveries are not in order."""
    first, again = "2026-10-30T10:00:00Z", "2026-10-30T15:00:00Z"
    key = '{}:{alertname="Down"}'
    page = {"annotations": {"ticket": "see https://t.example/browse/OPS-1?x", "runbook": "https://wiki.example/1"}}
    fires = alert("firing", again) | page | {"generatorURL": "https://t.example/browse/OPS-9"}
    drop(tmp_path, "1.json", group(alert("resolved", first, "2026-10-30T10:30:00Z"), fires, groupKey=key))
    take(tmp_path)
    drop(tmp_path, "2.json", group(alert("firing", first, summary="late")))
    take(tmp_path)
    with built(tmp_path) as warehouse:
        assert incidents(warehouse, "strftime(detected_at, '%X'), strftime(resolved_at, '%X'), status") == [
            ("10:00:00", "10:30:00", "resolved"),
            ("15:00:00", None, "detected"),
        ]
        # A pager knows the group by the hash of its key; the page of the expression, and a runbook, are no links.
        build_all(warehouse, ("staging.links",))
        found = warehouse.con.execute("SELECT place, text_id, target FROM staging.links ORDER BY ALL").fetchall()
        hashed = hashlib.sha256(key.encode()).hexdigest()
        assert found == [
            ("description", "ticket", "https://t.example/browse/OPS-1"),
            *[("group_key", None, hashed)] * 2,
        ]


@pytest.mark.slow
def test_the_same_alert_within_the_flap_time_is_one_incident(tmp_path: Path) -> None:
    """The same dedup key again within ten minutes of its resolve: for an alert that is its fingerprint."""
    drop(
        tmp_path,
        "flap.json",
        group(
            alert("resolved", "2026-10-30T10:00:00Z", "2026-10-30T10:30:00Z"),
            alert("resolved", "2026-10-30T10:35:00+00:00", "2026-10-30T10:50:00Z"),
        ),
    )
    take(tmp_path)
    with built(tmp_path) as warehouse:
        assert incidents(warehouse, "flap_count, strftime(resolved_at, '%X')") == [(1, "10:50:00")]


@pytest.mark.slow
def test_alerts_that_were_cut_off_are_counted(tmp_path: Path) -> None:
    """`max_alerts` drops alerts before they reach anybody: what is lost must at least be known."""
    drop(tmp_path, "cut.json", group(alert("firing", "2026-10-30T10:00:00Z"), truncatedAlerts=7))
    take(tmp_path)
    with built(tmp_path) as warehouse:
        assert rows(warehouse.con, "SELECT source, fact, n FROM ops.facts") == [
            {"source": "inbox", "fact": "alerts_left_out_by_alertmanager", "n": 7}
        ]


# -- twice -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_delivery_seen_twice_counts_once(tmp_path: Path) -> None:
    """Every sender delivers at least once: in one night under two names, and again the night after."""
    for path in BODIES:
        drop(tmp_path / "once", path.name, path.read_bytes())
        for name in (path.name, f"again-{path.name}"):
            drop(tmp_path / "twice", name, path.read_bytes())
    take(tmp_path / "once")
    take(tmp_path / "twice")
    for path in BODIES:
        drop(tmp_path / "twice", f"late-{path.name}", path.read_bytes())
    take(tmp_path / "twice")
    everything = "* EXCLUDE (updated_at)"
    with built(tmp_path / "once") as once, built(tmp_path / "twice") as twice:
        assert incidents(once, everything) == incidents(twice, everything) != []
        events = "SELECT source, external_id, event_id, event_type FROM mart.incident_events ORDER BY ALL"
        assert rows(once.con, events) == rows(twice.con, events)
        assert counts(once) == [(25, 25, 0, 0)]
        assert counts(twice) == [(50, 25, 25, 0), (25, 25, 0, 0)]


@pytest.mark.slow
def test_the_header_tells_a_retry_of_jira(tmp_path: Path) -> None:
    """A retry may be serialised anew; its identifier stays."""
    body = json.loads((FIXTURES / "jira.jsonl").read_bytes().splitlines()[0])
    header = {"x-atlassian-webhook-identifier": "4f7a-1"}
    drop(tmp_path, "1.json", json.dumps(body).encode(), header)
    drop(tmp_path, "2.json", json.dumps(body, indent=1).encode(), header)
    take(tmp_path)
    with built(tmp_path) as warehouse:
        assert counts(warehouse) == [(2, 1, 1, 0)] and len(incidents(warehouse)) == 1


# -- signatures --------------------------------------------------------------------------------------------------------

SECRET = "s3cr3t-of-the-webhook"
SIGNED = {
    "pagerduty": ("X-PagerDuty-Signature", "v1=", (FIXTURES / "pagerduty_triggered.json").read_bytes()),
    "jira": ("X-Hub-Signature", "sha256=", (FIXTURES / "jira.jsonl").read_bytes().splitlines()[0]),
}


def signature(body: bytes, prefix: str, secret: str = SECRET) -> str:
    return prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("sender", ["pagerduty", pytest.param("jira", marks=pytest.mark.slow)])
def test_a_signature_is_checked_when_a_secret_is_set(tmp_path: Path, sender: str) -> None:
    """A folder that anything can write to must not let anything speak for the vendor. Reasons name the header only."""
    header, prefix, template = SIGNED[sender]
    believed = {"good", "rotated", "upper case"}
    secrets: list[bytes] = [SECRET.encode()]
    for number, case in enumerate([*sorted(believed), "missing", "no file", "wrong", "empty", "altered"]):
        body = json.loads(template)  # each about a record of its own
        if sender == "pagerduty":
            body["event"] |= {
                "id": f"E{number}",
                "data": body["event"]["data"] | {"id": f"Q{number}", "incident_key": f"K{number}"},
            }
        else:
            body["issue"] |= {"id": str(10231 + number), "key": f"OPS-{number}"}
        data = json.dumps(body).encode()
        good, old = signature(data, prefix), signature(data, prefix, "the secret before")
        headers = {
            "good": {header.lower(): good},
            "rotated": {header: f"{old}, {good}"},
            "upper case": {header: prefix + good.removeprefix(prefix).upper()},
            "missing": {"Content-Type": "application/json"},
            "no file": None,
            "wrong": {header: old},
            "empty": {header: prefix},
            "altered": {header: good},
        }[case]
        drop(tmp_path, f"{case}.json", data + b"\n" if case == "altered" else data, headers)
        secrets.append(good.encode())
    take(tmp_path, **{sender: SECRET})
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["taken"]
    with built(tmp_path) as warehouse:
        assert len(incidents(warehouse)) == 3
        assert counts(warehouse) == [(8, 3, 0, 5)]
        refused = rows(warehouse.con, "SELECT reason, raw_reference FROM mart.quarantine")
    named = {row["raw_reference"].split("(inbox/")[1].split(".json")[0] for row in refused}
    assert named == {"missing", "no file", "wrong", "empty", "altered"}
    assert all(header in row["reason"] for row in refused)
    for path, data in every_byte(tmp_path / "landing"):
        assert not [secret for secret in secrets if secret in data], path


@pytest.mark.slow
def test_a_forged_body_is_no_reason_to_doubt_the_figures(tmp_path: Path) -> None:
    """One of six is a stranger's: it is said until files without one were taken, and it is not among the records that got lost."""
    header, prefix, body = SIGNED["pagerduty"]
    history = (FIXTURES / "pagerduty_history.jsonl").read_bytes().splitlines()[:5]
    for number, good in enumerate(history):
        drop(tmp_path, f"{number}.json", good, {header: signature(good, prefix)})
    drop(tmp_path, "forged.json", body, {header: signature(body, prefix, "a guess")})
    lights = []
    for run, status in (("run-1", "warn"), ("run-2", "info")):
        take(tmp_path, run, pagerduty=SECRET)
        with built(tmp_path) as warehouse:
            build_all(warehouse, ("mart.data_quality_status",))
            found = {
                row["dq_check"]: row for row in rows(warehouse.con, "FROM mart.data_quality WHERE source = 'inbox'")
            }
            refused, lost = found["refused_webhooks"], found["quarantined"]
            assert (refused["n"], refused["status"], lost["n"], lost["status"]) == (1, status, 0, "ok")
            lights += rows(warehouse.con, "SELECT light FROM mart.data_quality_status WHERE source = 'inbox'")
        drop(tmp_path, "later.json", history[0], {header: signature(history[0], prefix)})
    assert [row["light"] for row in lights] == ["amber", "green"]


def test_several_bodies_in_one_file_cannot_be_verified(tmp_path: Path) -> None:
    """Rather left out than believed; the reason says how it is done. Senders that sign nothing are not concerned."""
    header, prefix, body = SIGNED["pagerduty"]
    lines = (FIXTURES / "pagerduty_history.jsonl").read_bytes() + (FIXTURES / "opsgenie.jsonl").read_bytes()
    drop(tmp_path, "day.jsonl", lines, {header: signature(body, prefix)})
    take(tmp_path, pagerduty=SECRET)
    with built(tmp_path) as warehouse:
        assert counts(warehouse) == [(14, 7, 0, 7)]
        assert {row[0] for row in incidents(warehouse)} == {"opsgenie"}
        assert all("each delivery must be a file of its own" in reason for reason in reasons(warehouse))


def test_no_secret_shows_anywhere(tmp_path: Path) -> None:
    """Not in the terminal, not in the landing zone, not in what is published; `mttr import` checks as well."""
    _, prefix, body = SIGNED["pagerduty"]
    good = tmp_path / "good.json"
    good.write_bytes(body)
    (tmp_path / "good.json.headers").write_text(f"X-PagerDuty-Signature: {signature(body, prefix)}\n")
    (tmp_path / "bad.json").write_bytes(SIGNED["jira"][2])
    env = {"PAGERDUTY_WEBHOOK_SECRET": SECRET, "JIRA_WEBHOOK_SECRET": SECRET + "-2"}
    data_dir = tmp_path / "data"
    texts = [
        mttr("--data-dir", data_dir, "import", good, tmp_path / "bad.json", env=env).ended(0).text,
        mttr("--debug", "--data-dir", data_dir, "run", *CLOCK, env=env).ended(0).text,
        mttr("--data-dir", data_dir, "doctor", env=env).ended(0).text,
    ]
    assert query(data_dir, "SELECT source FROM incidents") == [("pagerduty",)]
    assert query(data_dir, "SELECT count(*) FROM quarantine WHERE reason LIKE '%X-Hub-Signature%'") == [(1,)]
    assert "0 files waiting" in texts[2] and "signatures of Jira and PagerDuty are checked" in texts[2]
    assert not any(SECRET in text for text in texts)
    assert [path for path, data in every_byte(data_dir) if SECRET.encode() in data] == []


# -- the folder --------------------------------------------------------------------------------------------------------


def test_what_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    """Half a body is no body: it stays until it has its name. Headers wait for their body."""
    drop(tmp_path, "whole.json", SIGNED["pagerduty"][2])
    for name in ("half.json.part", "half.json.tmp", ".hidden.json", "early.json.headers"):
        (tmp_path / "inbox" / name).write_bytes(b'{"event": {"id"')
    (tmp_path / "inbox" / "folder").mkdir()
    said = mttr("--data-dir", tmp_path, "doctor").ended(0).out
    assert f"1 file waiting in {tmp_path / 'inbox'}; set JIRA_WEBHOOK_SECRET and PAGERDUTY_WEBHOOK_SECRET" in said
    assert take(tmp_path).files == 1
    left = {"half.json.part", "half.json.tmp", ".hidden.json", "early.json.headers", "folder", "taken"}
    assert {path.name for path in (tmp_path / "inbox").iterdir()} == left


def test_nothing_waiting_leaves_no_trace(tmp_path: Path) -> None:
    """A run every hour must not fill source_runs with rows about nothing."""
    assert take(tmp_path).files == 0
    assert not (tmp_path / "landing").exists() and (tmp_path / "inbox").is_dir()


def test_a_crash_between_landing_and_moving_counts_once(tmp_path: Path) -> None:
    """The extract is complete, the files still lie there: the next run only moves them."""
    for path in BODIES:
        drop(tmp_path, path.name, path.read_bytes(), {})
    drop(tmp_path, "rubbish.jsonl", b"<html>\n")
    before = shutil.copytree(tmp_path / "inbox", tmp_path / "before")
    take(tmp_path, "run-1")
    shutil.rmtree(tmp_path / "inbox")
    before.rename(tmp_path / "inbox")
    (tmp_path / "else.json").write_bytes(SIGNED["pagerduty"][2])
    accounts = settings_for(tmp_path).accounts
    import_files([tmp_path / "else.json"], Landing(tmp_path / "landing"), "run-1b", accounts=accounts)
    assert take(tmp_path, "run-2").files == 0
    moved = {path.name for path in (tmp_path / "inbox" / "taken" / "run-1").iterdir()}
    assert moved == {path.name for path in BODIES} | {f"{path.name}.headers" for path in BODIES} | {"rubbish.jsonl"}
    with built(tmp_path) as warehouse:
        assert counts(warehouse) == [(25, 25, 0, 0), (1, 1, 0, 0)] and counts(warehouse, "custom") == [(1, 0, 0, 1)]
        assert len(reasons(warehouse)) == 1


def test_a_crash_before_the_end_of_landing_loses_nothing(tmp_path: Path) -> None:
    """Without its manifest an extract is none: the files are still there and are taken anew."""
    for path in BODIES:
        drop(tmp_path, path.name, path.read_bytes())
    before = shutil.copytree(tmp_path / "inbox", tmp_path / "before")
    take(tmp_path, "run-1")
    for after in ("landing/inbox/run-1/manifest.json", "extracts.jsonl"):
        (tmp_path / after).unlink()
    shutil.rmtree(tmp_path / "inbox")
    before.rename(tmp_path / "inbox")
    assert take(tmp_path, "run-2").files == len(BODIES)
    with built(tmp_path) as warehouse:
        assert counts(warehouse) == [(25, 25, 0, 0)] and len(incidents(warehouse)) == len(EXPECTED) - 1


def test_the_older_file_is_landed_first(tmp_path: Path) -> None:
    """Two versions of a custom record without updated_at: the one written later wins, whatever the names."""
    for age, (name, title) in enumerate([("a.json", "new"), ("z.json", "old")]):
        path = drop(tmp_path, name, {"external_id": "1", "title": title, "detected_at": "2026-10-30T10:00:00Z"})
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    take(tmp_path)
    with built(tmp_path) as warehouse:
        assert incidents(warehouse, "title") == [("new",)]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Whoever may write into the folder must not get files shown that only we may read."""
    (tmp_path / "private").write_text("PRIVATE KEY\n")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "link.jsonl").symlink_to(tmp_path / "private")
    drop(tmp_path, "one.json", SIGNED["pagerduty"][2])
    (tmp_path / "inbox" / "one.json.headers").symlink_to(tmp_path / "private")
    os.mkfifo(tmp_path / "inbox" / "pipe.json")  # opening it would wait for ever
    taken = take(tmp_path)
    assert len(taken.refused) == 2 and all("no regular file" in text for text in taken.refused)
    assert not any(b"PRIVATE" in data for _, data in every_byte(tmp_path / "landing"))
    with built(tmp_path) as warehouse:
        assert len(incidents(warehouse)) == 1


# -- rubbish -----------------------------------------------------------------------------------------------------------


def changed(path: tuple[Any, ...], value: Any, name: str = "pagerduty_triggered.json") -> dict[str, Any]:
    """A body of the fixtures with one value replaced."""
    body: Any = json.loads(
        (FIXTURES / name).read_bytes().splitlines()[0] if "jsonl" in name else (FIXTURES / name).read_bytes()
    )
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return dict(body)


#: file -> how many lines of it must be in quarantine
RUBBISH: dict[str, tuple[bytes | dict[str, Any], int]] = {
    "empty.json": (b"", 1),
    "binary.json": (bytes(range(256)) * 40, 1),
    "binary.jsonl": (b"\x00\xff\xfe\n\x80\n", 2),
    "page.json": (b"<!doctype html><title>502</title>", 1),
    "page.jsonl": (b"<html>\n<body>502</body>\n</html>\n", 3),
    "noextension": (b"{}", 1),
    "cut.json": (SIGNED["pagerduty"][2][:300], 1),
    "big.json": (b'{"event": {"event_type": "' + b"x" * (9 << 20) + b'", "data": {}}}', 1),
    "deep.json": (b'{"event":{"event_type":"x","data":' + b"[" * 90_000 + b"]" * 90_000 + b"}}", 1),
    "deep.jsonl": (b'{"event":{"event_type":"x","data":' + b"[" * 900 + b"]" * 900 + b"}}", 1),
    "number.json": (b"42", 1),
    "list.json": (b"[1, null, []]", 3),
    "nothing.json": ({"hello": "world"}, 1),
    "twice.json": (b'{"event": {"id": "a", "id": "b", "event_type": "incident.resolved", "data": {}}}', 1),
    "surrogate.jsonl": (b'{"event": {"event_type": "\\ud800", "data": {}}}', 1),
    "noid.json": (changed(("event", "id"), None), 1),
    "noincident.json": (changed(("event", "data"), []), 1),
    "nostamp.json": (changed(("event", "occurred_at"), "yesterday"), 1),
    "objectstamp.json": (changed(("event", "occurred_at"), {"a": [1]}), 1),
    "noalert.json": (group(), 1),
    "oddalerts.json": (group(1, "x", {}, alert("firing", "never"), alert("resolved", "2026-10-30T10:00:00Z", "?")), 5),
    "opsgenie.json": (changed(("alert", "updatedAt"), "soon", "opsgenie.jsonl"), 1),
    "jira.json": (changed(("timestamp",), [], "jira.jsonl"), 1),
    "jira2.json": (changed(("issue",), 7, "jira.jsonl"), 1),
}
#: Odd, but understood.
ODD: dict[str, dict[str, Any]] = {
    "unknown_type.json": changed(("event", "event_type"), "incident.levitated"),
    "future.json": changed(("event", "occurred_at"), "9999-12-31T23:59:59Z"),
    "far_future.json": changed(("event", "occurred_at"), "51502-01-01T00:00:00Z"),
    "past.json": changed(("event", "occurred_at"), "0001-01-01T00:00:00Z"),
    "types.json": changed(("event", "data", "title"), {"a": 1}),
    "lists.json": changed(("event", "data", "teams"), "none"),
    "numbers.json": changed(("event", "data", "number"), 10**400),
    "opsgenie_big.json": changed(("alert", "updatedAt"), 10**18 * 9, "opsgenie.jsonl"),
    "opsgenie_zero.json": changed(("alert", "updatedAt"), 0, "opsgenie.jsonl"),
    "opsgenie_tags.json": changed(("alert", "tags"), "a,b", "opsgenie.jsonl"),
    "opsgenie_action.json": changed(("action",), "Teleport", "opsgenie.jsonl"),
    "jira_fields.json": changed(("issue", "fields", "labels"), {"a": 1}, "jira.jsonl"),
    "jira_changelog.json": changed(("changelog",), {"items": [1, {"field": 7}, None]}, "jira.jsonl"),
    "jira_event.json": changed(("webhookEvent",), "jira:worklog_updated", "jira.jsonl"),
    "alert_labels.json": group({**alert("firing", "2026-10-30T10:00:00Z"), "labels": "none"}),
}


def test_rubbish_stops_nothing_and_is_listed(tmp_path: Path) -> None:
    """The folder takes what it is given; a night without figures because of one file would be the attacker's dream."""
    for name, (body, _) in RUBBISH.items():
        drop(tmp_path, name, body)
    for number, (name, odd) in enumerate(ODD.items()):
        if "event" in odd:
            odd["event"]["id"] = f"odd-{number}"
        drop(tmp_path, f"odd_{name}", odd)
    drop(tmp_path, "good.json", SIGNED["pagerduty"][2])
    take(tmp_path)
    assert {path.name for path in (tmp_path / "inbox").iterdir()} == {"taken", "refused"}
    with built(tmp_path) as warehouse:
        found = rows(warehouse.con, "SELECT reason, raw_reference FROM mart.quarantine")
        named = [row["raw_reference"].split("(inbox/")[1].split(":")[0] for row in found]
        assert {name: named.count(name) for name in set(named)} == {name: n for name, (_, n) in RUBBISH.items()}
        assert ("pagerduty", "Q1ABCDEF2345") in incidents(warehouse)
        landed = [sum(column) for column in zip(*counts(warehouse), *counts(warehouse, "custom"), strict=False)]
        assert landed


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2026-10-30T10:00:00Z", "resolved", "incident", "jira:issue_deleted", "Delete", 1793354400000]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A body of the fixtures in which a few values, wherever they stand, are anything at all."""
    path = draw(st.sampled_from(BODIES))
    data = path.read_bytes()
    body: Any = json.loads(draw(st.sampled_from(data.splitlines())) if path.suffix == ".jsonl" else data)
    for _ in range(draw(st.integers(0, 4))):
        place = body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(_json)
            break
    return json.dumps(body).encode()


def test_whatever_a_body_holds_it_is_counted_and_nothing_crashes(tmp_path: Path) -> None:
    """Hundreds of bodies with arbitrary values in arbitrary places, and arbitrary JSON, through the whole pipeline at once."""
    bodies = drawn(_mutated() | _json.map(lambda value: json.dumps(value).encode()), 400)
    for number, body in enumerate(bodies):  # each about a record of its own
        for name in (
            b"Q1ABCDEF2345",
            b"01CH754SM17TWPE2V2H4VPBR",
            b"052652ac-5d1c-464a-812a",
            b"10231",
            b"c1a2b3d4e5f60718",
        ):
            body = body.replace(name, b"%b%d" % (name, number))
        bodies[number] = body
    drop(tmp_path, "any.jsonl", b"\n".join(bodies))
    taken = take(tmp_path)
    assert taken.report is not None and taken.refused == []
    assert taken.report.landed + taken.report.unreadable >= len(bodies)
    with built(tmp_path) as warehouse:
        totals = rows(warehouse.con, "SELECT sum(fetched)::INT AS fetched FROM ops.loads")[0]["fetched"]
        assert totals == taken.report.landed + taken.report.unreadable
        assert len(incidents(warehouse)) > 20


def test_a_damaged_file_keeps_what_could_be_read(tmp_path: Path) -> None:
    """An upload that broke off: what came is used, what is missing is told, and the file is kept for a person to see."""
    lines = b"".join(
        json.dumps(
            {"external_id": str(n), "detected_at": "2026-10-30T10:00:00Z", "title": f"{n * n * 7919:x}"}
        ).encode()
        + b"\n"
        for n in range(20_000)
    )
    import gzip

    drop(tmp_path, "cut.jsonl.gz", gzip.compress(lines)[:-20])
    (sentence,) = take(tmp_path, "run-1").refused
    assert "inbox/cut.jsonl.gz is damaged" in sentence
    assert (tmp_path / "inbox" / "refused" / "run-1" / "cut.jsonl.gz").is_file()
    with built(tmp_path) as warehouse:
        ((fetched, normalised, _, quarantined),) = counts(warehouse, "custom")
        assert quarantined == 1 and fetched == normalised + 1 > 10_000


@pytest.mark.slow
def test_the_run_says_what_it_could_not_take(tmp_path: Path) -> None:
    """The door of the command: exit 0, published, and the quarantine names file and reason."""
    drop(tmp_path, "page.json", b"<html>")
    drop(tmp_path, "good.json", SIGNED["pagerduty"][2])
    mttr("--data-dir", tmp_path, "run", *CLOCK).ended(0)
    ((reason, reference),) = query(tmp_path, "SELECT reason, raw_reference FROM quarantine")
    assert reason.startswith("inbox/page.json is not a JSON array") and "(inbox/page.json:1)" in reference
    late = AS_OF + timedelta(days=1)
    mttr("--data-dir", tmp_path, "run", "--as-of", late.isoformat()).ended(
        0
    )  # nothing new, but there is what was taken
    assert query(tmp_path, "SELECT max(as_of) FROM mttr_stats") == [(late.astimezone(UTC),)]
