"""`mttr links`: pairs of records that may be one incident, and what a person decides about them.

What does not belong here: what the file of decisions may hold (`config.decisions`), which links join (the tables).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.table import Table

from mttr_pipeline.cli.published import LEAST_OF_ID, named, opened
from mttr_pipeline.config.decisions import (
    OF_DEPLOYS,
    Decision,
    add_decision,
    contradictions,
    decisions_file,
    read_decisions,
)
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.hidden import one_line

SHOWN = 50
COLUMNS = (
    *("reason", "why", "source", "external_id", "key", "title", "url"),
    *("other_source", "other_external_id", "other_key", "other_title", "other_url"),
    *("incident_id", "other_incident_id", "minutes_apart", "similarity"),
)
#: Suggestions first, then links that are read and not followed. A pair is listed once, and not where a person decided about it.
_PAIRS = """WITH decided AS (
    SELECT source, external_id, other_source, other_external_id FROM links WHERE link_reason = 'chosen'
    UNION ALL
    SELECT other_source, other_external_id, source, external_id FROM links WHERE link_reason = 'chosen'
),
apart AS (
    SELECT l.*, a.incident_id, b.incident_id AS other_incident_id
    FROM links AS l
    JOIN records AS a ON a.record_id = l.record_id
    JOIN records AS b ON b.record_id = l.other_record_id
    ANTI JOIN decided AS d ON d.source = l.source AND d.external_id = l.external_id
        AND d.other_source = l.other_source AND d.other_external_id = l.other_external_id
    WHERE l.status = 'not_followed' AND a.incident_id <> b.incident_id
),
reasons AS (
    SELECT least(incident_id, other_incident_id) AS first, greatest(incident_id, other_incident_id) AS second, min(why) AS why
    FROM apart GROUP BY ALL
),
suggested AS (
    SELECT s.reason, coalesce(r.why, 'the same service, detected within 10 minutes, similar titles') AS why,
        s.source, s.external_id, s.key, s.title, s.url, s.other_source, s.other_external_id, s.other_key, s.other_title, s.other_url,
        s.incident_id, s.other_incident_id, s.minutes_apart, s.similarity
    FROM suggested_links AS s
    LEFT JOIN reasons AS r ON s.reason <> 'similar_title' AND r.first = least(s.incident_id, s.other_incident_id)
        AND r.second = greatest(s.incident_id, s.other_incident_id)
),
kept AS (
    SELECT 'not_followed' AS reason, p.why, p.source, p.external_id, a.key, a.title, a.url, p.other_source, p.other_external_id,
        b.key AS other_key, b.title AS other_title, b.url AS other_url, p.incident_id, p.other_incident_id,
        abs(epoch_us(b.detected_at) - epoch_us(a.detected_at)) / 6e7 AS minutes_apart, NULL::DOUBLE AS similarity
    FROM apart AS p
    JOIN records AS a ON a.record_id = p.record_id
    JOIN records AS b ON b.record_id = p.other_record_id
    ANTI JOIN suggested AS s ON least(s.incident_id, s.other_incident_id) = least(p.incident_id, p.other_incident_id)
        AND greatest(s.incident_id, s.other_incident_id) = greatest(p.incident_id, p.other_incident_id)
    QUALIFY row_number() OVER (
        PARTITION BY least(p.incident_id, p.other_incident_id), greatest(p.incident_id, p.other_incident_id)
        ORDER BY p.why, p.source, p.external_id, p.other_source, p.other_external_id) = 1
)
FROM (FROM suggested UNION ALL FROM kept)
ORDER BY reason = 'not_followed', similarity DESC NULLS LAST, minutes_apart, source, external_id, other_source, other_external_id"""


def pairs(database: Path, settings: Settings) -> list[dict[str, Any]]:
    """Each pair of a published mttr.duckdb that nobody decided about yet, with the reason: one dictionary of COLUMNS per pair.

    Minutes are floats. Raises ContractError when the file cannot be read.
    """
    decided = {decision.pair for decision in settings.decisions.valid}
    with opened(database) as con:
        found = [dict(zip(COLUMNS, row, strict=True)) for row in con.execute(_PAIRS).fetchall()]
    return [
        row
        for row in found
        if tuple(sorted([(row["source"], row["external_id"]), (row["other_source"], row["other_external_id"])]))
        not in decided
    ]


def as_table(found: list[dict[str, Any]]) -> Table | str:
    """The first pairs for a person: each record as `--accept` and `--refuse` take it."""
    if not found:
        return "no pair of records may be one incident"
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("record", "other record", "titles", "min apart", "why"):
        table.add_column(name, justify="right" if name == "min apart" else "left", overflow="fold")
    for row in found[:SHOWN]:
        apart = row["minutes_apart"]
        titles = [row[name] or "-" for name in ("title", "other_title")]
        records = [f"{row[f'{side}source']}:{row[f'{side}external_id']}" for side in ("", "other_")]
        table.add_row(*records, "\n".join(map(one_line, titles)), "-" if apart is None else f"{apart:,.1f}", row["why"])
    if len(found) > SHOWN:
        table.caption = f"The first {SHOWN} of {len(found):,} pairs; --format csv lists all."
    return table


def decide(database: Path, settings: Settings, names: tuple[str, str], decision: str, by: str, why: str) -> str:
    """Write into links.csv that two records are one incident (`same`) or are not (`different`), and say what came of it.

    Where one of the two is a deploy, it is that the deploy introduced the incident or did not. A decision that stands there already
    is not written again. Raises ConfigError for a name that is nothing published or is that of several, for one record named twice,
    for the opposite of a decision in the file, and where the file cannot be written.
    """
    path = decisions_file(settings.config_file)
    with opened(database) as con:
        deploys = [_deploy(con, name) for name in names]
        if any(deploys):
            if all(deploys):
                raise ConfigError(
                    f"{names[0]} and {names[1]} are both deploys; name an incident's record and a deploy."
                )
            names, deploys = (names, deploys) if deploys[1] else ((names[1], names[0]), deploys[::-1])
            decision = OF_DEPLOYS[decision == "different"]
        one, incident = named(con, names[0])
        other, other_incident = (deploys[1], "") if deploys[1] else named(con, names[1])
    if one == other:
        raise ConfigError(f"{names[0]} and {names[1]} are one record; name two.")
    wanted = Decision(*one, *other, decision, by, why, 0)
    with _alone(path):
        there = read_decisions(path, settings.record_sources)
        for line, problem in there.problems:
            if not line:
                raise ConfigError(f"{problem} Nothing was decided.")
        for each in there.valid:
            if each.pair != wanted.pair:
                continue
            if each.decision == decision:
                return f"{path} says so already in line {each.line}; nothing was written."
            said = ", ".join(filter(None, (each.decided_by, each.why)))
            raise ConfigError(
                f"{path} says the opposite in line {each.line}: {each.decision}{f' ({said})' if said else ''}. "
                "Remove that line first. Nothing was decided."
            )
        for source, _ in (one, other):
            if source not in settings.record_sources:
                raise ConfigError(
                    f"The source {source} is not configured any more, so no decision can name its records."
                )
        add_decision(path, wanted)
    against = [lines for lines in contradictions([*there.valid, wanted]) if wanted.line in lines]
    if decision in OF_DEPLOYS:
        words = "was introduced" if decision == "introduced" else "was not introduced"
        ends = f"from the next `mttr run` or `mttr rebuild` on: written to {path}."
        return one_line(f"{':'.join(one)} {words} by the deploy {':'.join(other)} {ends}")
    words = "are one incident" if decision == "same" else "are two incidents"
    told = f"{':'.join(one)} and {':'.join(other)} {words} from the next `mttr run` or `mttr rebuild` on: written to {path}."
    if (incident == other_incident) == (decision == "same"):
        told += f" They {words} already; the decision keeps it so."
    if against:
        others = ", ".join(map(str, sorted({line for lines in against for line in lines} - {wanted.line})))
        told += (
            f" It contradicts what lines {others} say together: different holds, so one of the lines that say same joins nothing. "
            "Remove the line that is wrong."
        )
    if not settings.file.correlation.enabled:
        told += " It has no effect while [correlation] is off in mttr.toml."
    return one_line(told)


def _deploy(con: duckdb.DuckDBPyConnection, name: str) -> tuple[str, str] | None:
    """Source and external_id of the deploy that a person names so; None where no published deploy has this name."""
    source, colon, external_id = name.partition(":")
    where, values = (
        ("source = ? AND external_id = ?", [source, external_id]) if colon else ("starts_with(deploy_id, ?)", [name])
    )
    if not colon and len(name) < LEAST_OF_ID:
        return None
    try:
        found = con.execute(
            f"SELECT DISTINCT source, external_id FROM deploy_records WHERE {where} LIMIT 2", values
        ).fetchall()
    except duckdb.CatalogException:
        return None  # published before there were deploys
    return found[0] if len(found) == 1 else None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else decides meanwhile: two lines at once would be one lost."""
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. Nothing was decided.") from error
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
