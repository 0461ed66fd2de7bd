"""What commands ask of the newest published database: where it is, and which record or incident a person names.

What does not belong here: what a command makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError, ContractError
from mttr_pipeline.landing.demonstration import FOLDER

LEAST_OF_ID = 6


def database(settings: Settings, command: str) -> Path:
    """The newest published database, which `command` reads. Raises ConfigError where nothing is published."""
    from mttr_pipeline.publish import latest

    root = settings.data_dir / "published"
    generation = latest(root)
    if generation is None:
        there = latest(Path(FOLDER) / "published")
        shown = f" The demo's results: `mttr --data-dir {FOLDER} {command}`." if there else ""
        raise ConfigError(f"Nothing is published in {root} yet; `mttr run` or `mttr rebuild` publishes.{shown}")
    return generation / "mttr.duckdb"


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A published database, read-only. Raises ContractError when it cannot be read, or is not what this release publishes."""
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            con.execute("SET TimeZone = 'UTC'")
            yield con
    except duckdb.Error as error:
        raise ContractError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); publish again with `mttr rebuild`."
        ) from error


def named(con: duckdb.DuckDBPyConnection, name: str) -> tuple[tuple[str, str], str]:
    """Source and external_id of the record that a person names, and the incident_id of its first episode.

    A record is named `source:external_id`, or by the beginning of its id of an incident. Raises ConfigError for a name that is
    nothing published or is that of several.
    """
    source, colon, external_id = name.partition(":")
    if colon:
        where, values = "source = ? AND external_id = ?", [source, external_id]
    elif len(name) >= LEAST_OF_ID and re.fullmatch(r"[0-9a-f-]+", name.lower()):
        where, values = "starts_with(record_id, ?)", [name.lower()]
    else:
        raise ConfigError(
            f"{name!r} names no record; write source:external_id, or at least {LEAST_OF_ID} characters of an incident_id."
        )
    found = con.execute(
        f"""SELECT source, external_id, min_by(incident_id, episode), min(record_id) FROM records
        WHERE {where} GROUP BY source, external_id ORDER BY source, external_id LIMIT 6""",
        values,
    ).fetchall()
    if len(found) > 1:
        several = ", ".join(f"{source}:{external_id} ({identity})" for source, external_id, _, identity in found[:5])
        raise ConfigError(f"{name} is the beginning of several incident_ids: {several}; write more of it.")
    for source, external_id, incident, _ in found:
        return (source, external_id), incident
    raise ConfigError(f"{name!r} is no published record; `mttr links` and the table records list them.")
