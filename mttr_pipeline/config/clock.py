"""The instants that a run is told: its clock, and the window that it pulls."""

from __future__ import annotations

from datetime import datetime

from mttr_pipeline.config.settings import parse_instant
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
