"""`mttr alerts`: the conditions in force, and what people were told of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
from rich import box
from rich.table import Table

from mttr_pipeline import alerts, told
from mttr_pipeline.config.alert_places import SET_ONE
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.publish import latest

COLUMNS = ("condition", "scope", "began_at", "quiet_at", "told_at", "places", "sentence")
_NONE = f"No alert goes anywhere: {SET_ONE}, see docs/configuration.md."


def in_force(settings: Settings) -> list[dict[str, Any]]:
    """One row per condition in force, the newest first: of the night that was noted last, else of what is published.

    Instants are text, ISO 8601 with Z. Raises ConfigError where there is neither.
    """
    state = told.read(settings.data_dir)
    if state.episodes or state.noted_at is not None:
        found = [_row(episode) for episode in state.episodes if episode.ended_at is None]
        rows = sorted(found, key=lambda row: (-row[2].timestamp(), row[0], row[1]))
        return [dict(zip(COLUMNS, map(_shown, row), strict=True)) for row in rows]
    generation = latest(settings.data_dir / "published")
    if generation is None:
        raise ConfigError(f"Nothing is published in {settings.data_dir / 'published'} yet; `mttr run` publishes.")
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        if not con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'alerts'").fetchall():
            raise ConfigError(
                "What is published is of an earlier release, which had no alerts; `mttr run` publishes anew."
            )
        published = con.execute(f"SELECT {', '.join(COLUMNS)} FROM alerts WHERE ended_at IS NULL").fetchall()
    return [dict(zip(COLUMNS, map(_shown, row), strict=True)) for row in published]


def _row(episode: told.Episode) -> tuple[Any, ...]:
    told_at, places = min(episode.began.values(), default=None), sorted(episode.began)
    return (*episode.key, episode.quiet_at, told_at, places, episode.sentence)


def _shown(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for CSV: places as one text."""
    return [{**row, "places": ", ".join(row["places"])} for row in rows]


def as_table(rows: list[dict[str, Any]]) -> Table | str:
    """A line per condition, for people."""
    if not rows:
        return "No condition is in force."
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("condition", "about", "since", "told", "where"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        since = _minute(row["began_at"]) + (" (quiet)" if row["quiet_at"] else "")
        places = ", ".join(row["places"]) or "-"
        title = alerts.CONDITIONS[row["condition"]].title
        table.add_row(title, row["scope"], since, _minute(row["told_at"]), places, row["sentence"])
    return table


def _minute(text: str | None) -> str:
    return "-" if text is None else f"{text[:10]} {text[11:16]}"


def test(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Whether each place took a test message, and a line that says so. Raises ConfigError where none is configured."""
    places = alerts.places_of(settings.alert_places)
    if not places:
        raise ConfigError(_NONE)
    for answer in alerts.test(places):
        yield answer.wrong is None, answer.wrong or f"{answer.place.title}: ok, the test message was taken."
