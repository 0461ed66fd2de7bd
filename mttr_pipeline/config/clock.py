"""The instants that a run is given: its clock, and the window that it pulls."""

from __future__ import annotations

from datetime import UTC, datetime

from mttr_pipeline.errors import ConfigError

FIRST_YEAR, LAST_YEAR = 2000, 2099  # of any incident that counts


def parse_clock(text: str, name: str) -> datetime:
    """An ISO 8601 instant of this era; without an offset it is UTC. `name` is the option, for the error."""
    value = parse_instant(text, name)
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ConfigError(
            f"{name}: {text!r} is no time of an incident; name one of the years {FIRST_YEAR} to {LAST_YEAR}."
        )
    return value


def parse_instant(text: str, name: str) -> datetime:
    """An ISO 8601 instant from the command line; without an offset it is UTC. `name` is the option, for the error."""
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{name}: {text!r} is no ISO 8601 instant; write it like 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from error
