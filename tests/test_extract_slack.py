"""Slack pulled over HTTP from its simulator: complete, polite, and honest about what it may not read."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_cases import DAY, HOUR, MINUTE, NOW, SECOND, counts, office, plain
from support import settings_for, slow

from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.demo.slack import Workspace
from mttr_pipeline.demo.slack.records import ts_of
from mttr_pipeline.demo.slack.simulator import _Refused
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.kit.deadline import OutOfTime
from mttr_pipeline.sources.pulling import build_source
from mttr_pipeline.sources.slack import SOURCE
from mttr_pipeline.warehouse.conformance import odd_record_problems


def history(n: int = 5, messages: int = 3) -> Workspace:
    """Incident channels of the last days, and others that are nobody's business here."""
    workspace = Workspace()
    for number in range(n):
        at = NOW - 10 * DAY + number * HOUR
        room = workspace.room(f"inc-{number}", at)
        for minute in range(messages):
            room.say(at + minute * MINUTE, f"Message {minute}", user=("U01", "U02")[minute % 2])
    workspace.room("random", NOW - 9 * DAY).say(NOW - 8 * DAY, "lunch?")
    workspace.room("increments", NOW - 9 * DAY)
    return workspace


# -- complete and incremental ------------------------------------------------------------------------------------------


def test_only_incident_channels_are_read(tmp_path: Path) -> None:
    """Nothing of other channels reaches the landing zone, not even their names."""
    workspace = history()
    workspace.room("outage_eu", NOW - DAY, is_private=True).say(NOW - HOUR, "Mitigated: restarted")
    with office(workspace, tmp_path) as slack:
        manifest = slack.pull()
        landed = {row["record"]["name"] for row in slack.rows(manifest, "channels")}
        assert landed == {"inc-0", "inc-1", "inc-2", "inc-3", "inc-4", "outage_eu"}
        assert len(slack.rows(manifest, "messages")) == 5 * 4 + 2 and counts(manifest) == {}
        assert "lunch" not in str(slack.rows(manifest, "messages"))
        people = slack.rows(manifest, "users")
        assert people == [
            {"id": "U01", "name": "Ana Diaz", "is_bot": False},
            {"id": "U02", "name": "Wei Chen", "is_bot": False},
        ], "no address and no telephone number"
        records = slack.table("staging.slack_records", "key, url")
        assert ("outage_eu", workspace.page(workspace.rooms[-1])) in records
        slack.configure(private_channels=False)
        assert "outage_eu" not in {
            row["record"]["name"] for row in slack.rows(slack.pull(full_refresh=True), "channels")
        }


def test_short_pages_are_not_the_last(tmp_path: Path) -> None:
    """Trap: fewer rows than asked for come although there are more, of channels and of messages."""
    workspace = history(9, 20)
    parent = workspace.rooms[0].say(NOW - 9 * DAY, "A thread")
    for number in range(12):
        workspace.rooms[0].say(NOW - 9 * DAY + (number + 1) * SECOND, f"Reply {number}", thread=parent)
    with office(workspace, tmp_path, how={"page_rows": 4}) as slack:
        manifest = slack.pull()
        assert len(slack.rows(manifest, "channels")) == 9
        rows = [(row["channel"], row["record"]["ts"]) for row in slack.rows(manifest, "messages")]
        assert len(rows) == len(set(rows)) == 9 * 21 + 13
        assert counts(manifest) == {}


def test_a_late_reply_to_an_old_message_is_found(tmp_path: Path) -> None:
    """Trap: a history gives parents by their own time, so `oldest` hides a reply of today to a message of three days ago."""
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - 5 * DAY)
    parent = room.say(NOW - 4 * DAY, "Looking into it")
    quiet = room.say(NOW - 4 * DAY + HOUR, "Another thread")
    room.say(NOW - 4 * DAY + 2 * HOUR, "an answer", thread=quiet)
    for number in range(20):
        room.say(NOW - 3 * DAY + number * MINUTE, "talk")
    with office(workspace, tmp_path) as slack:
        slack.pull()
        assert slack.methods().count("conversations.replies") == 1
        room.say(NOW + HOUR, "Mitigated: rolled back", user="U02", thread=parent)
        slack.server.now = NOW + DAY
        second = slack.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental"
        assert [q["ts"] for q in slack.asked("conversations.replies")] == [[parent]], "the other thread did not change"
        assert ("C000000001A", "mitigated", plain(NOW + HOUR), "derived") in slack.events()


def test_what_cannot_change_is_not_read_again(tmp_path: Path) -> None:
    """An archived channel is read once more after it was archived; a quiet one, when anything about it changes."""
    workspace = history(3)
    done, quiet, busy = workspace.rooms[:3]
    done.archive(NOW - DAY)
    with office(workspace, tmp_path, quiet_days=5) as slack:
        slack.pull()
        busy.say(NOW - HOUR, "still here")
        slack.server.now = NOW + HOUR
        slack.pull(NOW + HOUR)
        slack.pull(NOW + 2 * HOUR)
        assert [q["channel"] for q in slack.asked("conversations.history")] == []
        quiet.topic(NOW + 3 * HOUR, "Resolved")
        busy.say(NOW + 3 * HOUR, "unseen")
        slack.server.now = NOW + 4 * HOUR
        slack.pull(NOW + 4 * HOUR)
        assert [q["channel"] for q in slack.asked("conversations.history")] == [[quiet.id]]
        quiet.archive(NOW + 5 * HOUR)
        slack.server.now = NOW + 6 * HOUR
        slack.pull(NOW + 6 * HOUR)
        assert [q["channel"] for q in slack.asked("conversations.history")] == [[quiet.id]]
        assert (quiet.id, "closed", plain(NOW + 5 * HOUR), "api") in slack.events()
        slack.pull(NOW + 7 * HOUR)
        assert slack.methods() == ["auth.test", "conversations.list"]


def test_a_full_refresh_reads_everything(tmp_path: Path) -> None:
    workspace = history(3)
    workspace.rooms[0].archive(NOW - DAY)
    with office(workspace, tmp_path) as slack:
        slack.pull()
        slack.pull(NOW + HOUR, full_refresh=True)
        assert slack.methods().count("conversations.history") == 3 and slack.methods().count("users.info") == 2


def test_a_broadcast_reply_counts_once(tmp_path: Path) -> None:
    """Trap: it stands in the history and in the thread."""
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - DAY)
    parent = room.say(NOW - 2 * HOUR, "So")
    sent = room.say(NOW - HOUR, "Mitigated: done", thread=parent, broadcast=True)
    with office(workspace, tmp_path) as slack:
        manifest = slack.pull()
        found = [row["record"]["ts"] for row in slack.rows(manifest, "messages")]
        assert len(found) == len(set(found)) == 3 and sent in found
        assert len(slack.events("event_type = 'mitigated'")) == 1


def test_a_ts_stays_a_text(tmp_path: Path) -> None:
    """Trap: as a number it loses its last digits, and with them threads and the order within a second."""
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - DAY)
    first = room.say(NOW - HOUR, "one")
    second = room.say(NOW - HOUR, "two", thread=first)
    with office(workspace, tmp_path) as slack:
        slack.pull()
        rows = slack.table(
            "raw.slack_messages", "ts, thread_ts, epoch_us(sent_at)", "user_id = 'U01' AND subtype IS NULL"
        )
        assert [row[:2] for row in rows] == [(first, first), (second, first)] and rows[1][2] - rows[0][2] == 1


def test_a_renamed_channel_stays_itself(tmp_path: Path) -> None:
    """Tools rename the channel of an incident; the id stays, and `updated` is in milliseconds where `created` is in seconds."""
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - DAY)
    room.say(NOW - HOUR, "Root cause found: a full disk")
    with office(workspace, tmp_path) as slack:
        slack.pull()
        room.rename(NOW + HOUR, "2026-10-checkout")
        slack.server.now = NOW + 2 * HOUR
        slack.pull(NOW + 2 * HOUR)
        assert slack.table("staging.slack_records", "external_id, key, updated_at") == [
            (room.id, "2026-10-checkout", plain(NOW + HOUR))
        ]
        assert (room.id, "detected", plain(NOW - DAY), "derived") in slack.events()


moves = st.lists(
    st.tuples(
        st.sampled_from(["say", "reply", "late", "topic", "archive", "rename", "new", "pin"]),
        st.integers(0, 2),
        st.integers(0, 50),
    ),
    max_size=10,
)


@pytest.mark.slow
@given(nights=st.lists(moves, min_size=2, max_size=3))
@settings(max_examples=6, deadline=None, derandomize=True, database=None)
def test_nights_have_what_one_full_pull_has(tmp_path_factory: pytest.TempPathFactory, nights: Any) -> None:
    """Whatever happened in between, the tables are the same row for row."""
    tables = ("staging.slack_events", "staging.slack_links", "staging.slack_records", "staging.slack_responders")
    found = []
    for step_by_step in (True, False):
        workspace = Workspace()
        for number in range(3):
            workspace.room(f"inc-{number}", NOW - (number + 2) * DAY)
        with office(workspace, tmp_path_factory.mktemp("office")) as slack:
            for night, steps in enumerate(nights):
                evening = NOW + (night - 1) * DAY
                for place, step in enumerate(steps):
                    _move(workspace, evening + place * HOUR, *step)
                slack.server.now = evening + DAY
                if step_by_step or night == len(nights) - 1:
                    assert slack.pull(evening + DAY).status == "complete"
            warehouse = slack.built(*tables)
            columns = ["* EXCLUDE (landed_in)"] * 3 + ["*"]
            found.append(
                [
                    sorted(warehouse.con.execute(f"SELECT {shown} FROM {table}").fetchall(), key=str)
                    for shown, table in zip(columns, tables, strict=True)
                ]
            )
            warehouse.close()
    assert found[0] == found[1]


def _move(workspace: Workspace, at: Any, what: str, room_number: int, number: int) -> None:
    room = workspace.rooms[room_number % len(workspace.rooms)]
    text = ("Mitigated: x", "Root cause found: y", "see https://acme.pagerduty.com/incidents/Q0AAAAAAAAAAA1", "talk")[
        number % 4
    ]
    said = [row["ts"] for row in room.messages if "subtype" not in row and "thread_ts" not in row]
    if what == "new":
        workspace.room(f"inc-new-{number}", at)
    elif what == "rename":
        room.rename(at, f"{room.name}-{number}")
    elif room.is_archived:
        return
    elif what == "archive":
        room.archive(at)
    elif what == "topic":
        room.topic(at, f"SEV{1 + number % 4} | {('Investigating', 'Resolved')[number % 2]}")
    elif what in ("reply", "late") and said:
        room.say(at, text, thread=said[0 if what == "late" else -1], broadcast=number % 5 == 0)
    elif what == "pin" and said:
        room.pin(said[-1], at)
    else:
        room.say(at, text, user=f"U0{1 + number % 3}")


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_a_channel_that_is_only_listed_is_no_empty_one(tmp_path: Path) -> None:
    """Trap: a bot lists all public channels and reads those it is in. An empty one would be an incident that never ends."""
    workspace = history(2)
    workspace.rooms[1].member = False
    with office(workspace, tmp_path) as slack:
        manifest = slack.pull()
        assert counts(manifest) == {"channels_not_readable": 1}
        assert "not_in_channel" in manifest.facts["unreadable_channels"][workspace.rooms[1].id]
        assert [row[0] for row in slack.table("staging.slack_records", "key")] == ["inc-0"]
        workspace.rooms[1].member = True
        slack.server.now = NOW + HOUR
        assert counts(slack.pull(NOW + HOUR)) == {}
        assert [row[0] for row in slack.table("staging.slack_records", "key")] == ["inc-0", "inc-1"]
        workspace.rooms[1].member = False
        slack.pull(NOW + 2 * HOUR)
        assert len(slack.table("staging.slack_records", "key")) == 2, "what was read stays"
        findings = slack.table("figures.findings_pulls", "dq_check, n, level", "dq_check = 'channels_not_readable'")
        assert findings == [("channels_not_readable", 1, "warn")]


def test_a_token_of_a_person_reads_all_public_channels(tmp_path: Path) -> None:
    workspace = history(2)
    workspace.rooms[1].member = False
    with office(workspace, tmp_path, how={"user_token": True}) as slack:
        assert counts(slack.pull()) == {}


def test_no_channel_can_be_read(tmp_path: Path) -> None:
    """The pull fails, rather than that it publishes nothing as if there were no incidents."""
    workspace = history(3)
    for room in workspace.rooms:
        room.member = False
    with (
        office(workspace, tmp_path) as slack,
        pytest.raises(PermanentError, match=r"none of the 3 .*not_in_channel.*invite the app"),
    ):
        slack.pull()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"token": "xoxb-another"}, "invalid_auth.*check SLACK_TOKEN"),
        ({"scopes": ("channels:history",)}, "missing_scope, needed: channels:read.*add the scope channels:read"),
        ({"scopes": ("channels:read",)}, "none of the 2 .*missing_scope, needed: channels:history"),
    ],
)
def test_errors_come_with_status_200(tmp_path: Path, how: dict[str, Any], told: str) -> None:
    """Trap: only `ok` says that an answer is an error. One that is taken for an empty list would publish no incidents."""
    with office(history(2), tmp_path, private_channels=False) as slack:
        for name, value in how.items():
            setattr(slack.server.simulators["slack"], name, value)
        with pytest.raises(PermanentError, match=told) as raised:
            slack.pull()
        assert "xoxb" not in str(raised.value)
        assert {line.status for line in slack.server.log} == {200}


def test_less_than_all_scopes_costs_what_they_open(tmp_path: Path) -> None:
    """Without those of private channels, pins, bookmarks and people, the rest is read, and each lack is told."""
    workspace = history(2)
    workspace.room("inc-secret", NOW - DAY, is_private=True)
    with office(workspace, tmp_path, how={"scopes": ("channels:read", "channels:history")}, connections=1) as slack:
        manifest = slack.pull()
        assert counts(manifest) == {
            "private_channels_not_listed": 1,
            "pins_not_readable": 2,
            "bookmarks_not_readable": 2,
            "people_not_readable": 2,
        }
        assert [slack.methods().count(method) for method in ("pins.list", "bookmarks.list", "users.info")] == [1, 1, 1]
        assert {row[0] for row in slack.table("staging.slack_responders", "responder")} == {"U01", "U02"}
        slack.server.simulators["slack"].scopes += ("users:read", "groups:read", "pins:read", "bookmarks:read")  # type: ignore[attr-defined]
        second = slack.pull(NOW + HOUR)
        assert counts(second) == {"channels_not_readable": 1}, "the private one is listed now, and its messages are not"
        assert {row[0] for row in slack.table("staging.slack_responders", "responder")} == {"Ana Diaz", "Wei Chen"}
        told = {row[0] for row in slack.table("figures.findings_pulls", "dq_check", "source = 'slack' AND n > 0")}
        assert "channels_not_readable" in told and not told & {"private_channels_not_listed", "pins_not_readable"}


def test_strangers_keep_their_ids(tmp_path: Path) -> None:
    """People of another company in a shared channel are not known here."""
    workspace = Workspace()
    workspace.room("inc-1", NOW - DAY, extra={"is_ext_shared": True}).say(
        NOW - HOUR, "Mitigated: on our side", user="W77", team="T99"
    )
    with office(workspace, tmp_path) as slack:
        assert counts(slack.pull()) == {}
        assert ("mitigated", "W77") in slack.table("staging.slack_events", "event_type, actor")
        slack.pull(NOW + HOUR)
        assert slack.methods().count("users.info") == 0, "nobody is asked for twice"


# -- limits ------------------------------------------------------------------------------------------------------------


def test_each_method_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """429 with Retry-After is how Slack slows down: the pull waits, and loses nothing."""
    tiers = {"conversations.history": Limit(4, 1.0), "pins.list": Limit(3, 1.0)}
    with office(history(9), tmp_path, how={"tiers": tiers}) as slack:
        manifest = slack.pull()
        assert len(slack.rows(manifest, "messages")) == 36 and counts(manifest) == {}
        assert 429 in {line.status for line in slack.server.log}


def test_a_refusal_of_the_rate_may_come_with_status_200(tmp_path: Path) -> None:
    with office(history(1), tmp_path) as slack:
        simulator: Any = slack.server.simulators["slack"]
        whole, refused = simulator._answer, itertools.count()

        def once(method: str, *rest: Any) -> Any:
            if method == "conversations.list" and next(refused) == 0:
                return {"ok": False, "error": "internal_error"}
            return whole(method, *rest)

        simulator._answer = once
        assert len(slack.rows(slack.pull(), "messages")) == 4
        assert slack.methods().count("conversations.list") == 2


def restricted(**how: Any) -> dict[str, Any]:
    return {"restricted": True, "restriction": Limit(1, 1.0), **how}


def test_a_restricted_app_is_told(tmp_path: Path) -> None:
    """15 rows for a limit of 200, with more behind them, then 429: the doctor and a finding say why it takes so long."""
    with office(history(2, 40), tmp_path, how=restricted(restriction=Limit(5, 1.0))) as slack:
        manifest = slack.pull()
        assert counts(manifest) == {"restricted_app": 1} and len(slack.rows(manifest, "messages")) == 82
        source = build_source("slack", slack.settings)
        told = source.check()
        source.close()
        assert (
            told.startswith("ok: Slack reachable at 127.0.0.1")
            and "restricts this app to 15 messages a request" in told
        )
        assert ("restricted_app", 1, "warn") in slack.table(
            "figures.findings_pulls", "dq_check, n, level", "source = 'slack'"
        )
    with office(history(2, 13), tmp_path / "other") as slack:
        assert counts(slack.pull()) == {}, "a short history is no restriction"


def test_a_restricted_app_goes_on_within_its_deadline(tmp_path: Path) -> None:
    """What was read in time counts, what was not is told and read by the next pull; nothing counts as deleted or as empty."""
    workspace = history(6, 20)
    with office(workspace, tmp_path, how=restricted(), max_hours=3.5 / 3600, connections=1) as slack:
        first = slack.pull()
        read = {row[0] for row in slack.table("staging.slack_records", "key")}
        assert first.status == "complete" and counts(first)["channels_left_for_the_next_pull"] == 6 - len(read)
        assert 0 < len(read) < 6 and slack.ids(first, "tombstones") == []
        assert slack.table("staging.slack_events", "count(DISTINCT external_id)") == [(len(read),)]
        told = slack.table("figures.findings_pulls", "dq_check, level", "dq_check = 'channels_left_for_the_next_pull'")
        assert told == [("channels_left_for_the_next_pull", "warn")]
        slack.configure(max_hours=1)
        slack.server.simulators["slack"].restricted = False  # type: ignore[attr-defined]
        slack.server.simulators["slack"]._budgets.clear()  # type: ignore[attr-defined]
        second = slack.pull(NOW + HOUR)
        assert len(slack.table("staging.slack_records", "key")) == 6 and counts(second) == {}
        told = slack.table(
            "figures.findings_pulls", "dq_check", "dq_check IN ('channels_left_for_the_next_pull', 'restricted_app')"
        )
        assert told == []
        people = slack.table("staging.slack_responders", "DISTINCT responder")
        assert people == [("Ana Diaz",), ("Wei Chen",)], "those of the first pull are asked for by the second"


def test_another_app_that_has_no_time_fails_and_goes_on(tmp_path: Path) -> None:
    workspace = history(6)
    tiers = {"conversations.history": Limit(1, 1.0)}
    with office(workspace, tmp_path, how={"tiers": tiers}, max_hours=2.5 / 3600, connections=1) as slack:
        with pytest.raises(OutOfTime, match="the next run goes on"):
            slack.pull()
        slack.configure(max_hours=1)
        slack.server.simulators["slack"]._budgets.clear()  # type: ignore[attr-defined]
        manifest = slack.pull()
        assert len(slack.rows(manifest, "channels")) == 6 and slack.methods().count("conversations.history") < 6
        slack.pull(NOW + HOUR)
        assert slack.methods().count("users.info") == 0


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["cut", *slow("heavy")])
def test_faults_change_nothing(tmp_path: Path, profile: str) -> None:
    """Lost answers, half ones, repeated pages: the rows are the same, each once."""
    landed = []
    for name in ("none", profile):
        workspace = history(4, 25)
        with office(workspace, tmp_path / name, how={"page_rows": 10}) as slack:
            slack.server.set_faults(name)
            manifest = slack.pull()
            rows = [
                (stream, json.dumps(row, sort_keys=True))
                for stream in ("messages", "pins", "bookmarks", "users")
                for row in slack.rows(manifest, stream)
            ]
            assert len(rows) == len(set(rows))
            landed.append(set(rows))
    assert landed[0] == landed[1]


def test_a_cursor_that_is_not_known_any_more_begins_the_list_anew(tmp_path: Path) -> None:
    with office(history(1, 20), tmp_path, how={"page_rows": 8}) as slack:
        simulator: Any = slack.server.simulators["slack"]
        whole, late = simulator._answer, itertools.count()

        def once(method: str, request: Any, now: Any) -> Any:
            if method == "conversations.history" and request.one("cursor") and next(late) == 0:
                raise _Refused("invalid_cursor")
            return whole(method, request, now)

        simulator._answer = once
        assert len(slack.rows(slack.pull(), "messages")) == 21


def test_a_pull_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """What was landed is not asked for again, and what the next pull has to know is that of both attempts."""
    workspace = history(6)
    with office(workspace, tmp_path, connections=1, max_wait_minutes=0.01) as slack:
        slack.server.set_faults((Rule("status", attempts=None, argument=500, path="users.info"),))
        with pytest.raises(Exception, match="500"):
            slack.pull()
        slack.server.set_faults("none")
        manifest = slack.pull()
        assert slack.methods().count("conversations.history") == 0 and len(slack.rows(manifest, "users")) == 2
        assert len(manifest.facts["site"]["channels"]) == 6


def test_a_thread_that_is_deleted_meanwhile_is_no_error(tmp_path: Path) -> None:
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - DAY)
    parent = room.say(NOW - HOUR, "So")
    room.say(NOW - MINUTE, "yes", thread=parent)
    with office(workspace, tmp_path) as slack:
        simulator: Any = slack.server.simulators["slack"]
        whole = simulator._history

        def and_delete(*asked: Any) -> Any:
            found = whole(*asked)
            room.messages = room.messages[:1]
            return found

        simulator._history = and_delete
        assert counts(slack.pull()) == {}


# -- access ------------------------------------------------------------------------------------------------------------


def test_doctor_says_what_it_found(tmp_path: Path) -> None:
    workspace = history(2)
    with office(workspace, tmp_path) as slack:
        source = build_source("slack", slack.settings)
        assert source.check().endswith("2 incident channels in Acme")
        assert slack.methods()[:2] == ["auth.test", "conversations.list"] and len(slack.methods()) <= 5
        simulator: Any = slack.server.simulators["slack"]
        simulator.scopes = ("channels:read", "channels:history", "groups:read")
        assert "without the scope groups:history (messages of private channels), pins:read (pins)" in source.check()
        workspace.rooms[1].member = False
        assert "the app is no member of inc-1" in source.check()
        simulator.scopes = ("channels:read",)
        with pytest.raises(PermanentError, match="lacks the scopes channels:history; add them to the app"):
            source.check()
        simulator.token = "xoxb-other"
        with pytest.raises(PermanentError, match=r"invalid_auth.*check SLACK_TOKEN"):
            source.check()
        source.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"channels": []}, "channels"),
        ({"channels": ["("]}, "regular expression"),
        ({"tools": {"x": ["status: .+"]}}, "one group"),
        ({"tools": {"Rootly": ["a(b)"], "rootly": ["a(b)"]}}, "one name"),
        ({"standing_days": 0}, "standing_days"),
        ({"edited_marks": "now"}, "edited_marks"),
    ],
)
def test_wrong_settings_are_sentences(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(Exception, match=told):
        settings_for(tmp_path, {"sources": {"slack": options}})


def test_channels_begin_with_the_first_pull(tmp_path: Path) -> None:
    """A channel that is older than the history that is pulled is not read, then or later."""
    workspace = history(1)
    workspace.room("inc-old", NOW - 800 * DAY).say(NOW - HOUR, "still alive")
    with office(workspace, tmp_path) as slack:
        slack.pull()
        slack.pull(NOW + HOUR)
        assert [row[0] for row in slack.table("staging.slack_records", "key")] == ["inc-0"]


def test_a_report_about_the_past_reads_up_to_it(tmp_path: Path) -> None:
    workspace = history(1)
    workspace.rooms[0].say(NOW + HOUR, "Mitigated: later")
    with office(workspace, tmp_path) as slack:
        slack.server.now = NOW + DAY
        slack.pull(NOW)
        assert slack.events("event_type = 'mitigated'") == []
        slack.pull(NOW + DAY)
        assert len(slack.events("event_type = 'mitigated'")) == 1


# -- odd records -------------------------------------------------------------------------------------------------------

ROOM = Workspace().room("inc-1", NOW - DAY)
MESSAGE = {
    "type": "message",
    "ts": ts_of(NOW, 1),
    "user": "U01",
    "text": "Mitigated: x",
    "thread_ts": ts_of(NOW, 1),
    "subtype": None,
    "bot_id": None,
    "blocks": [],
    "attachments": [],
    "edited": {"user": "U01", "ts": ts_of(NOW + MINUTE)},
    "reply_count": 0,
}


@pytest.mark.parametrize(
    ("stream", "record"),
    [
        (
            "channels",
            {"id": "C1", "site": "https://acme.slack.com/", "is_readable": True, "read": None, "record": ROOM.listed()},
        ),
        ("messages", {"id": "C1/1", "channel": "C1", "record": MESSAGE}),
        ("pins", {"id": "C1", "items": [{"message": MESSAGE}]}),
        ("bookmarks", {"id": "C1", "bookmarks": [{"title": "x", "link": "https://x.example/"}]}),
        ("users", {"id": "U01", "name": "Ana Diaz", "is_bot": False}),
    ],
)
def test_odd_records_harm_no_other(tmp_path: Path, stream: str, record: dict[str, Any]) -> None:
    assert odd_record_problems(SOURCE, stream, record, tmp_path) == []


ODD: list[Any] = [None, 7, -1e300, True, "", "text", [], {}, [[1]], {"a": {"b": [1]}}]


def test_odd_members_of_the_answers_harm_no_other(tmp_path: Path) -> None:
    """Over HTTP, since the pull itself reads them: members of a channel and of a message with values of other types."""
    workspace = history(2)
    odd = ("created", "updated", "is_archived", "previous_names", "name_normalized", "topic")
    for place, (name, value) in enumerate((n, v) for n in odd for v in ODD):
        workspace.room(f"inc-odd-{place}", NOW - DAY, extra={name: value})
    for place, (name, value) in enumerate((n, v) for n in MESSAGE for v in ODD if n not in ("ts", "text", "user")):
        workspace.rooms[0].say(NOW - DAY + place * SECOND, "odd", **{name: value})
    with office(workspace, tmp_path, lookback_days=1) as slack:
        assert slack.pull().status == "complete"
        slack.server.now = NOW + HOUR
        assert slack.pull(NOW + HOUR).status == "complete"
        records = {row[0] for row in slack.table("staging.slack_records", "key")}
        assert {"inc-0", "inc-1"} <= records and len(records) > 20
