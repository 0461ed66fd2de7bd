"""Which generations stay: the same rule on this disk and at the second place.

What does not belong here: deleting the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mttr_pipeline.config.sections import Keep


def those_to_keep(made_at: Mapping[str, datetime], keep: Keep, newest: str) -> set[str]:
    """The names of the generations that stay: those of the rules, and the newest two, because someone may be reading either.

    `made_at` says when each was made, UTC. `newest` is the one just published, whatever its time: the clock may have gone back.
    """
    found = sorted(made_at, key=lambda name: (name == newest, made_at[name], name), reverse=True)
    stay = set(found[:2])
    for count, period in ((keep.nights, "%Y-%m-%d"), (keep.weeks, "%G-%V"), (keep.months, "%Y-%m")):
        newest_of: dict[str, str] = {}
        for name in found:
            newest_of.setdefault(made_at[name].strftime(period), name)
        stay.update(list(newest_of.values())[:count])
    return stay


def time_in(name: str) -> datetime | None:
    """When a generation was made, as its name says it, UTC; None for another name."""
    try:
        return datetime.strptime(name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
