"""An export of a Slack workspace, as zip or folder: the same tables as over the API, and no harm to the machine that reads it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from slack_cases import DAY, HOUR, NOW, Office, office
from test_extract_slack import history

from mttr_pipeline.cli.files import land, take_back
from mttr_pipeline.demo.slack import Room, Workspace
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake import archives
from mttr_pipeline.intake.archives import import_archive, is_archive
from mttr_pipeline.landing.store import new_run_id

TABLES = ("records", "events", "links", "responders")


def exported(workspace: Workspace, *, private: bool = True, top: str = "") -> dict[str, Any]:
    """The files of an export, path -> content. Folders are called like the channels are now."""
    rooms = workspace.rooms
    files: dict[str, Any] = {f"{top}users.json": list(workspace.users.values()), f"{top}integration_logs.json": []}
    for name, wanted in (("channels", False), ("groups", True)):
        if private or not wanted:
            files[f"{top}{name}.json"] = [_listed(room) for room in rooms if room.is_private == wanted]
    for room in rooms:
        for row in room.shown(NOW + 400 * DAY):
            day = f"{top}{room.name}/2026-{9 + (float(row['ts']) >= NOW.timestamp())}-30.json".replace(
                "2026-9", "2026-09"
            )
            files.setdefault(day, []).append(
                {**row, "user_profile": {"real_name": "Somebody", "email": "x@example.com"}}
            )
    return files


def _listed(room: Room) -> dict[str, Any]:
    """Without what only the API says."""
    kept = ("id", "name", "created", "creator", "is_archived", "topic", "purpose", "previous_names")
    pins = [{"id": pin["ts"], "type": "C", "created": pin["created"], "user": pin["created_by"]} for pin in room.pins]
    return {name: value for name, value in room.listed().items() if name in kept} | {"members": ["U01"], "pins": pins}


def zipped(path: Path, files: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


def unzipped(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def busy() -> Workspace:
    """Channels with everything that an export and the API both have."""
    workspace = history(4, 6)
    first, second, third, fourth = workspace.rooms[:4]
    thread = first.say(NOW - 5 * HOUR, "Looking")
    first.say(NOW - 4 * HOUR, "Mitigated: rolled back", thread=thread, broadcast=True)
    first.pin(first.say(NOW - 3 * HOUR, "Ticket OPS-1"), NOW - 2 * HOUR)
    second.topic(NOW - 9 * DAY, "SEV1 | Resolved | https://acme.pagerduty.com/incidents/Q0AAAAAAAAAAA1")
    second.archive(NOW - 8 * DAY)
    third.rename(NOW - 7 * DAY, "2026-10-search")
    fourth.tool(NOW - 9 * DAY, "Rootly", "Status changed to Mitigated")
    workspace.room("inc-secret", NOW - DAY, is_private=True).say(NOW - HOUR, "Root cause found: a key")
    return workspace


def brought_in(slack: Office, path: Path) -> str:
    return str(import_archive(path, slack.landing, new_run_id(), slack.settings.accounts))


@pytest.mark.parametrize("top", ["", "Acme Slack export Sep 1 2026/"])
def test_an_export_is_what_the_api_gives(tmp_path: Path, top: str) -> None:
    """One SQL reads both; only addresses of channels need web_url."""
    workspace = busy()
    path = zipped(tmp_path / "export.zip", exported(workspace, top=top))
    found = []
    for name, options in (
        ("api", {}),
        ("zip", {"web_url": "https://acme.slack.com"}),
        ("folder", {"web_url": "https://acme.slack.com/"}),
    ):
        with office(workspace, tmp_path / name, **options) as slack:
            if name == "api":
                slack.pull()
            else:
                told = brought_in(slack, path if name == "zip" else unzipped(path, tmp_path / "unzipped"))
                assert "5 incident channels" in told and "2 names" in told
            warehouse = slack.built(*(f"staging.slack_{table}" for table in TABLES))
            rows = []
            for table in TABLES:
                left_out = "landed_in" + (", updated_at" if table == "records" else "")
                shown = "*" if table == "responders" else f"* EXCLUDE ({left_out})"
                rows.append(
                    sorted(warehouse.con.execute(f"SELECT {shown} FROM staging.slack_{table}").fetchall(), key=str)
                )
            private = warehouse.con.execute("SELECT name FROM staging.slack_channels WHERE is_private").fetchall()
            warehouse.close()
            found.append((rows, private))
    assert found[0] == found[1] == found[2] and all(found[0][0]) and found[0][1] == [("inc-secret",)]


def test_nothing_of_other_channels_and_people_is_landed(tmp_path: Path) -> None:
    with office(history(), tmp_path) as slack:
        brought_in(slack, zipped(tmp_path / "export.zip", exported(busy())))
        manifest = slack.landing.manifests("slack")[-1]
        landed = str([slack.rows(manifest, stream) for stream in ("channels", "users")])
        assert (
            "lunch" not in str(slack.rows(manifest, "messages"))
            and "Hana" not in landed
            and "@example.com" not in landed
        )


def test_an_export_without_private_channels(tmp_path: Path) -> None:
    """Most plans have none, and no groups.json then."""
    with office(history(), tmp_path) as slack:
        brought_in(slack, zipped(tmp_path / "export.zip", exported(busy(), private=False)))
        assert len(slack.table("staging.slack_records", "key")) == 4


def test_an_export_fills_in_what_the_app_may_not_read(tmp_path: Path) -> None:
    """Beside pulls: a channel that the app is no member of comes by the export, nothing counts as deleted, and the pulls go on as if
    there had been no import."""
    workspace = busy()
    workspace.rooms[1].member = False
    with office(workspace, tmp_path) as slack:
        slack.pull()
        before = len(slack.table("staging.slack_records", "key"))
        export = workspace.rooms[1:2]
        some = Workspace()
        some.rooms = export
        brought_in(slack, zipped(tmp_path / "export.zip", exported(some)))
        records = dict(slack.table("staging.slack_records", "external_id, url"))
        assert len(records) == before + 1 and records[export[0].id] == workspace.page(export[0])
        slack.pull(NOW + HOUR)
        asked = {query["channel"][0] for query in slack.asked("conversations.history")}
        assert export[0].id in asked and all(
            "oldest" in q or q["channel"] == [export[0].id] for q in slack.asked("conversations.history")
        )
        assert len(slack.table("staging.slack_records", "key")) == before + 1


def test_an_import_is_repeated_and_taken_back(tmp_path: Path) -> None:
    with office(Workspace(), tmp_path) as slack:
        path = zipped(tmp_path / "export.zip", exported(busy()))
        told = land(slack.settings, [str(path)], None, 1)
        assert "Landed 5 incident channels, " in told
        again = land(slack.settings, [str(path)], None, 1)
        slack.landing = type(slack.landing)(slack.settings.data_dir / "landing")
        assert len(slack.table("staging.slack_records", "key")) == 5
        for one in (told, again):
            assert "Took back" in take_back(slack.settings, one.split("--undo ")[1].strip("`."), 1)
        assert slack.table("staging.slack_records", "key") == []
        with pytest.raises(ConfigError, match="imported by itself"):
            land(slack.settings, [str(path), "x.jsonl"], None, 1)
        with pytest.raises(ConfigError, match="imported by itself"):
            land(slack.settings, [str(path)], "jira-csv", 1)


# -- bad exports -------------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, path: Path, told: str) -> None:
    """A sentence, and nothing that could be loaded."""
    tmp_path.mkdir(exist_ok=True)
    with office(Workspace(), tmp_path / "here") as slack:
        with pytest.raises(ConfigError, match=told) as raised:
            brought_in(slack, path)
        assert path.name in str(raised.value)
        assert [m for m in slack.landing.manifests("slack") if m.status == "complete"] == []


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "inc-0/../../x.json", "..\\x", "C:\\x.json"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, zipped(tmp_path / "e.zip", {**exported(busy()), name: b"x"}), "leads out of it")


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    folder = unzipped(zipped(tmp_path / "e.zip", exported(busy())), tmp_path / "export")
    (tmp_path / "secret.json").write_text("[]")
    (folder / "inc-0" / "2026-09-01.json").symlink_to(tmp_path / "secret.json")
    refused(tmp_path, folder, "link .* leads out of it")


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is counted as it comes, whatever the file says: one day that is too large, and many that are it together."""
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 1 << 20)
    bomb = b"[" + b" " * (3 << 20) + b"]"
    refused(
        tmp_path / "a",
        zipped(_made(tmp_path / "a") / "e.zip", {**exported(busy()), "inc-0/2026-01-01.json": bomb}),
        "larger than",
    )
    monkeypatch.setattr(archives, "MAX_BYTES", 2 << 20)
    days = {f"inc-0/2026-01-{day:02d}.json": b"[" + b" " * (700 << 10) + b"]" for day in range(1, 9)}
    refused(tmp_path / "b", zipped(_made(tmp_path / "b") / "e.zip", {**exported(busy()), **days}), "larger than")
    monkeypatch.setattr(archives, "MAX_FILES", 5)
    refused(tmp_path / "c", zipped(_made(tmp_path / "c") / "e.zip", exported(busy())), "more than 5 files")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"channels.json": b'{"ok":true}'}, "channels.json is no list of records"),
        ({"inc-0/2026-09-02.json": b"[1, "}, "2026-09-02.json is no list of records"),
        ({"channels.json": b"[]", "groups.json": b"[]"}, "no channel has the name of an incident channel"),
    ],
)
def test_damaged_exports_are_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    refused(tmp_path, zipped(tmp_path / "e.zip", {**exported(busy()), **change}), told)


def test_what_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing else")
    refused(tmp_path / "a", tmp_path / "broken.zip", "no zip file, or damaged")
    refused(
        tmp_path / "b", zipped(tmp_path / "other.zip", {"records.jsonl": b"{}"}), "is no export of Slack; unpack it"
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.jsonl").write_text("{}")
    refused(tmp_path / "c", tmp_path / "folder", "is a folder; name the files in it")
    whole = zipped(tmp_path / "e.zip", exported(busy())).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "d", tmp_path / "cut.zip", "no zip file, or damaged")
    spot = whole.index(b"inc-0/") + 60
    (tmp_path / "rotten.zip").write_bytes(whole[:spot] + b"\xff\x00\xff" + whole[spot + 3 :])
    refused(tmp_path / "e", tmp_path / "rotten.zip", "rotten.zip is not imported")
    assert not is_archive(tmp_path / "missing.zip") and is_archive(tmp_path / "folder")


def test_odd_rows_of_an_export_go_to_quarantine(tmp_path: Path) -> None:
    files = exported(busy())
    files["channels.json"] += [5, {"id": 7}, {"name": "inc-9"}]
    files["inc-0/2026-09-03.json"] = [None, {"ts": "never"}, {"type": "message"}]
    with office(Workspace(), tmp_path) as slack:
        brought_in(slack, zipped(tmp_path / "e.zip", files))
        assert len(slack.table("staging.slack_records", "key")) == 5
        warehouse = slack.built("staging.slack_records")
        reasons = [row[0] for row in warehouse.con.execute("SELECT stream FROM ops.quarantine ORDER BY ALL").fetchall()]
        warehouse.close()
        assert reasons == ["channels"] * 3 + ["messages"] * 3
