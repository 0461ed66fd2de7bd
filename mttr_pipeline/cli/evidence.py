"""The evidence of one incident, in one place: what a person, or a program that a person asks, needs to explain it.

Everything is read from the published database. Nothing is guessed: each piece says what ties it to the incident, and what is only
near it in time says so.

What does not belong here: how it is printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from mttr_pipeline.cli.published import LEAST_OF_ID
from mttr_pipeline.errors import ConfigError

#: At most so many similar incidents, the nearest kind first and then the latest.
SIMILAR = 10
STAMPS = (
    *("occurred", "detected", "acknowledged", "investigating"),
    *("root_cause_found", "mitigated", "resolved", "closed"),
)
Row = dict[str, Any]
#: Each part of the evidence, the tables it is read from, and its SQL. `asked` is the incident. A database that an earlier release
#: published may lack a table: then the part is left out.
_PARTS: Mapping[str, tuple[Sequence[str], str]] = {
    "records": (
        ("records",),
        """SELECT source, external_id, episode, key, title, url, role, link_reason, severity, vendor_status, service, team,
            detected_at, acknowledged_at, mitigated_at, resolved_at, closed_at
        FROM records SEMI JOIN asked USING (incident_id)
        ORDER BY role <> 'primary', role, detected_at, source, external_id, episode""",
    ),
    "conflicts": (
        ("incident_conflicts",),
        """SELECT stamp, chosen_source, chosen_at, other_source, other_at, minutes_apart
        FROM incident_conflicts SEMI JOIN asked USING (incident_id) ORDER BY stamp, other_source, other_at""",
    ),
    "links_not_followed": (
        ("links", "records"),
        """SELECT l.source, l.external_id, l.place, l.target, l.other_source, l.other_external_id, l.why
        FROM links AS l
        SEMI JOIN (FROM records SEMI JOIN asked USING (incident_id)) AS r ON r.source = l.source AND r.external_id = l.external_id
        WHERE l.status = 'not_followed'
        ORDER BY ALL""",
    ),
    "deploys": (
        ("incident_deploys", "deploys"),
        """SELECT 'introduced' AS relation, l.method, l.service, d.version, d.sha, d.environment, d.source, d.external_id, d.title,
            d.url, d.finished_at, d.finished_precision, l.minutes_before, d.is_rollback, d.was_rolled_back
        FROM incident_deploys AS l
        SEMI JOIN asked USING (incident_id)
        JOIN deploys AS d USING (deploy_id)
        UNION ALL
        -- The last one before it is near in time, and no more than that.
        SELECT 'before', NULL, d.service, d.version, d.sha, d.environment, d.source, d.external_id, d.title, d.url, d.finished_at,
            d.finished_precision, (epoch_us(a.began_at) - epoch_us(d.finished_at)) / 6e7, d.is_rollback, d.was_rolled_back
        FROM asked AS a
        JOIN deploys AS d ON d.service = a.service AND d.finished_at <= a.began_at
        WHERE d.is_production AND d.status IN ('success', 'rolled_back')
            AND NOT EXISTS (FROM incident_deploys SEMI JOIN asked USING (incident_id))
        QUALIFY row_number() OVER (ORDER BY d.finished_at DESC, d.deploy_id) = 1
        UNION ALL
        SELECT 'during', NULL, d.service, d.version, d.sha, d.environment, d.source, d.external_id, d.title, d.url, d.finished_at,
            d.finished_precision, (epoch_us(a.began_at) - epoch_us(d.finished_at)) / 6e7, d.is_rollback, d.was_rolled_back
        FROM asked AS a
        JOIN deploys AS d ON d.service = a.service AND d.finished_at > a.began_at AND d.finished_at <= a.ended_at
        WHERE d.is_production
            AND d.deploy_id NOT IN (SELECT deploy_id FROM incident_deploys SEMI JOIN asked USING (incident_id))
        ORDER BY finished_at NULLS LAST, relation, service, external_id""",
    ),
    "similar": (
        ("incidents", "records"),
        rf"""WITH repeats AS (
            SELECT r.incident_id
            FROM records AS r
            SEMI JOIN (FROM records SEMI JOIN asked USING (incident_id)) AS own
                ON own.source = r.source AND own.external_id = r.external_id
        ),
        earlier AS (
            SELECT i.*, i.incident_id IN (FROM repeats) AS repeats, i.service = a.service AS is_of_service,
                i.root_cause_category = a.cause AS has_cause,
                list_distinct(regexp_extract_all(lower(i.title), '[\p{{L}}\p{{N}}]+')) AS words,
                list_distinct(regexp_extract_all(lower(a.title), '[\p{{L}}\p{{N}}]+')) AS asked_words,
                len(list_intersect(words, asked_words)) AS shared
            FROM incidents AS i
            JOIN asked AS a ON i.detected_at < a.detected_at AND i.incident_id <> a.incident_id
            WHERE i.kind = 'incident' AND (i.service = a.service OR i.incident_id IN (FROM repeats))
        ),
        found AS (
            SELECT *, CASE
                WHEN repeats THEN {{rank: 1, said: 'an earlier episode of a record of it'}}
                WHEN is_of_service AND shared > 0 AND shared / (len(words) + len(asked_words) - shared) >= 0.5
                    THEN {{rank: 2, said: 'the same service, similar title'}}
                WHEN is_of_service AND has_cause THEN {{rank: 3, said: 'the same service and root cause'}}
            END AS why
            FROM earlier
        )
        SELECT incident_id, why.said AS why, source, external_id, key, title, url, severity, detected_at, mitigated_at, resolved_at,
            resolve_minutes, resolution_kind, root_cause_category
        FROM found
        WHERE found.why IS NOT NULL
        ORDER BY found.why.rank, detected_at DESC, incident_id LIMIT {SIMILAR}""",
    ),
    "errors": (
        ("incident_errors", "error_issues"),
        """SELECT l.method, l.is_weak, l.minutes_from_detected, e.source, e.external_id, e.key, e.title, e.url, e.level, e.service,
            e.status, e.users, e.events, e.first_seen_at, e.last_seen_at, e.first_release, e.fix_state, e.fix_at
        FROM incident_errors AS l
        SEMI JOIN asked USING (incident_id)
        JOIN error_issues AS e ON e.source = l.source AND e.external_id = l.external_id
        ORDER BY l.is_weak, l.method, e.first_seen_at, e.source, e.external_id""",
    ),
    "same_errors": (
        ("incident_errors", "error_issues", "incidents"),
        f"""SELECT i.incident_id, i.source, i.external_id, i.key, i.title, i.url, i.detected_at, i.resolve_minutes,
            coalesce(e.key, e.external_id) AS error, e.title AS error_title
        FROM incident_errors AS own
        SEMI JOIN asked USING (incident_id)
        JOIN incident_errors AS other ON other.source = own.source AND other.external_id = own.external_id AND NOT other.is_weak
        JOIN error_issues AS e ON e.source = own.source AND e.external_id = own.external_id
        JOIN incidents AS i ON i.incident_id = other.incident_id
        CROSS JOIN asked AS a
        WHERE NOT own.is_weak AND i.incident_id <> a.incident_id AND i.detected_at < a.detected_at
        ORDER BY i.detected_at DESC, i.incident_id, error LIMIT {SIMILAR}""",
    ),
    "follow_ups": (
        ("follow_ups",),
        # That there is no post-mortem is known only where any post-mortem is.
        """SELECT * EXCLUDE (incident_id) FROM follow_ups SEMI JOIN asked USING (incident_id)
        WHERE external_id IS NOT NULL OR EXISTS (FROM follow_ups WHERE kind = 'post_mortem' AND external_id IS NOT NULL)
        ORDER BY kind DESC, due_at, external_id""",
    ),
    "breaches": (
        ("target_breaches",),
        """SELECT target_minutes, actual_minutes, over_minutes, is_open FROM target_breaches SEMI JOIN asked USING (incident_id)""",
    ),
}
#: What the timeline is put together from; each has the columns at, what, source, external_id, actor, text, url and provenance.
_TIMELINE: Mapping[str, tuple[Sequence[str], str]] = {
    "events": (
        ("incident_events",),
        # A note that carries a stamp is there twice, as what it says and as a note.
        """SELECT "at", CASE WHEN event_type = 'other' THEN coalesce(vendor_type, 'other') ELSE event_type END AS what,
            source, external_id, actor, notes AS text, NULL::VARCHAR AS url, provenance
        FROM incident_events SEMI JOIN asked USING (incident_id)
        QUALIFY event_type <> 'note' OR count(*) OVER (PARTITION BY source, external_id, "at", actor, notes) = 1""",
    ),
    # Of an issue that a link joins, all of the episode that it is about; of one that is only near in time, that it began.
    "errors": (
        ("incident_errors", "error_issues", "error_episodes"),
        """WITH episodes AS (
            SELECT p.*, l.is_weak, e.url,
                concat_ws(' ', e.key, e.title) || CASE WHEN l.is_weak THEN ' (near in time)' ELSE '' END AS text
            FROM incident_errors AS l
            SEMI JOIN asked USING (incident_id)
            JOIN error_issues AS e ON e.source = l.source AND e.external_id = l.external_id
            JOIN error_episodes AS p ON p.source = l.source AND p.external_id = l.external_id
            CROSS JOIN asked AS a
            WHERE p.began_at <= a.ended_at AND coalesce(p.resolved_at >= a.began_at, true)
        )
        SELECT began_at AS "at", CASE began_by WHEN 'first seen' THEN 'error first seen' ELSE 'error ' || began_by END AS what,
            source, external_id, NULL::VARCHAR AS actor, text, url,
            CASE WHEN began_not_before IS NULL THEN 'api' ELSE 'derived' END AS provenance
        FROM episodes
        UNION ALL
        SELECT resolved_at, 'error resolved', source, external_id, NULL, text, url, resolved_provenance
        FROM episodes WHERE resolved_at IS NOT NULL AND NOT is_weak""",
    ),
    "post_mortems": (
        ("follow_ups",),
        """SELECT completed_at AS "at", CASE kind WHEN 'action' THEN 'action' ELSE 'post-mortem' END || ' completed' AS what,
            source, external_id, NULL::VARCHAR AS actor, concat_ws(' ', key, title) AS text, url, 'api' AS provenance
        FROM follow_ups SEMI JOIN asked USING (incident_id) WHERE completed_at IS NOT NULL""",
    ),
}
#: What ended an earlier incident, as far as anybody said or did something that can be read.
_ENDINGS: Mapping[str, tuple[Sequence[str], str]] = {
    "notes": (
        ("incident_events",),
        """SELECT incident_id, event_type AS what, "at", notes AS text FROM incident_events
        WHERE incident_id IN (SELECT unnest(?::VARCHAR[])) AND event_type IN ('root_cause_found', 'mitigated') AND notes IS NOT NULL
        ORDER BY "at", text""",
    ),
    "rollbacks": (
        ("incidents", "deploys"),
        """SELECT i.incident_id, d.service, d.version, d.finished_at, d.url
        FROM incidents AS i
        JOIN deploys AS d ON d.service = i.service AND d.is_rollback AND d.is_production
            AND d.finished_at > i.started_at AND d.finished_at <= coalesce(i.resolved_at, i.closed_at)
        WHERE i.incident_id IN (SELECT unnest(?::VARCHAR[])) AND d.status = 'success'
        ORDER BY d.finished_at, d.deploy_id""",
    ),
    "post_mortems": (
        ("follow_ups",),
        """SELECT incident_id, external_id, key, title, url, completed_at FROM follow_ups
        WHERE incident_id IN (SELECT unnest(?::VARCHAR[])) AND kind = 'post_mortem' AND external_id IS NOT NULL
        ORDER BY external_id""",
    ),
}


def evidence(con: duckdb.DuckDBPyConnection, name: str) -> Row:
    """Everything that is published about one incident.

    `incident` has its main columns, `stamps` each stamp with the source it came from, `records` the vendor records it is made of,
    `timeline` everything that happened in order, `deploys` those that introduced it, the last before it and those during it, and
    `similar` at most SIMILAR earlier ones with what ended them. Instants are ISO 8601 with Z, durations minutes.

    Raises ConfigError for a name that is no published incident, or is that of several.
    """
    incident_id = incident_named(con, name)
    there = {table for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()}
    con.execute(
        """CREATE TEMP TABLE asked AS
        SELECT *, coalesce(occurred_at, detected_at) AS began_at, root_cause_category AS cause,
            coalesce(resolved_at, closed_at, (SELECT max(as_of) FROM mttr_stats)) AS ended_at
        FROM incidents WHERE incident_id = ?""",
        [incident_id],
    )
    (whole,) = _rows(con, "SELECT * EXCLUDE (began_at, ended_at, cause) FROM asked")
    parts = {part: _rows(con, sql) for part, (tables, sql) in _PARTS.items() if there.issuperset(tables)}
    timeline = [row for tables, sql in _TIMELINE.values() if there.issuperset(tables) for row in _rows(con, sql)]
    timeline += [
        _of_deploy(row) for row in parts.get("deploys", ()) if row["finished_at"] and row["relation"] != "before"
    ]
    return {
        "as_of": _rows(con, "SELECT max(as_of) AS as_of FROM mttr_stats")[0]["as_of"],
        "incident": {key: value for key, value in whole.items() if not _of_a_stamp(key)},
        "stamps": [
            {"stamp": stamp, "at": whole[f"{stamp}_at"], "source": whole[f"{stamp}_source"]}
            | {"provenance": whole[f"{stamp}_provenance"]}
            for stamp in STAMPS
            if whole[f"{stamp}_at"]
        ],
        "timeline": sorted(timeline, key=lambda row: (row["at"], row["what"], row["source"], row["external_id"])),
        **parts,
        "similar": _with_endings(con, parts.get("similar", []), there),
    }


def incident_named(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """The incident_id that a person means: by (the beginning of) an incident_id, `source:external_id` or
    that id alone, a key or an address.

    A record of the incident leads to it too. Raises ConfigError for a name that is nothing published or is that of several.
    """
    wanted = name.strip()
    ways = ["upper(r.key) = upper($name)", "r.url = $name"]
    ways += ["r.external_id = $name", "r.source || ':' || r.external_id = $name"]
    if len(wanted) >= LEAST_OF_ID and re.fullmatch(r"[0-9a-f-]+", wanted.lower()):
        ways += ["starts_with(r.record_id, lower($name))"]  # an incident_id is the record_id of its primary record
    found = con.execute(
        f"""SELECT r.incident_id, min(r.source || ':' || r.external_id), min(i.detected_at)
        FROM records AS r JOIN incidents AS i ON i.incident_id = r.incident_id
        WHERE {" OR ".join(ways)}
        GROUP BY r.incident_id ORDER BY min(i.detected_at) DESC, r.incident_id LIMIT 6""",
        {"name": wanted},
    ).fetchall()
    if len(found) > 1:
        several = ", ".join(f"{incident} ({record}, {_text(at) or 'no time'})" for incident, record, at in found[:5])
        raise ConfigError(f"{name} is the name of several incidents: {several}; write an incident_id, or more of it.")
    if not found:
        raise ConfigError(
            f"{name!r} is no published incident; write an incident_id or its beginning ({LEAST_OF_ID} characters), "
            "source:external_id, the key that people see, or the address of its page."
        )
    return str(found[0][0])


def _of_a_stamp(column: str) -> bool:
    return column.removesuffix("_at").removesuffix("_source").removesuffix("_provenance") in STAMPS


def _of_deploy(row: Row) -> Row:
    said = " ".join(filter(None, (row["service"], row["version"] or (row["sha"] or "")[:12], row["environment"])))
    return {
        "at": row["finished_at"],
        "what": "rollback" if row["is_rollback"] else "deploy",
        "source": row["source"],
        "external_id": row["external_id"],
        "actor": None,
        "text": f"{said}: {RELATIONS[row['relation']]}",
        "url": row["url"],
        "provenance": row["finished_precision"],
    }


#: What ties an issue of an error tracker to the incident, in words.
TIES = {
    "link": "linked to it",
    "release": "near in time: new with the deploy linked to it",
    "service and time": "near in time: of its service",
}
#: What ties a deploy to the incident, in words.
RELATIONS = {
    "introduced": "introduced it",
    "before": "the last deploy of its service before it, not linked to it",
    "during": "while it lasted",
}


def _with_endings(con: duckdb.DuckDBPyConnection, similar: list[Row], there: set[str]) -> list[Row]:
    ids = [row["incident_id"] for row in similar]
    found: dict[str, dict[str, list[Row]]] = {
        incident_id: {ending: [] for ending, (tables, _) in _ENDINGS.items() if there.issuperset(tables)}
        for incident_id in ids
    }
    for ending, (tables, sql) in _ENDINGS.items():
        for row in _rows(con, sql, [ids]) if there.issuperset(tables) else ():
            found[row.pop("incident_id")][ending].append(row)
    return [{**row, "ended_by": found[row["incident_id"]]} for row in similar]


def _rows(con: duckdb.DuckDBPyConnection, sql: str, values: object = None) -> list[Row]:
    result = con.execute(sql, values)
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, map(_text, row), strict=True)) for row in result.fetchall()]


def _text(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
