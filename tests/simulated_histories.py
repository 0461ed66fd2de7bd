"""Drawn histories of incidents in which nothing changes, or recovery changes at one time, as columns and as incidents.

Incidents start at random over the span, and take log-normal times. Some are never closed. `first pull` is the start of the span:
of the incidents that started before it, only those are there that were still open then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mttr_pipeline.metrics.observed import Columns

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
SIGMA = 1.2  # of the logarithms of durations, as vendors' histories have it


@dataclass(frozen=True)
class Kind:
    """What histories are drawn from. Hours are medians of durations; `later_hours` is that from the middle of the span on."""

    hours: float
    days: int
    incidents: int = 200
    never_closed: float = 0.02
    later_hours: float | None = None
    years_before: float = 0.0  # how long the vendor kept records before the first pull


def histories(kind: Kind, count: int, as_of_us: int, seed: int = 0) -> Columns:
    """That many histories, one after another: the number of each, the start, the end (0: open) and whether it is from before."""
    random = np.random.default_rng([seed, kind.days, round(kind.hours * 60)])
    span_us = kind.days * DAY_US
    parts = [_drawn(random, kind, count, kind.incidents, as_of_us - span_us, span_us)]
    before_us = round(kind.years_before * 365 * DAY_US)
    if before_us:
        many = round(kind.incidents * before_us / span_us)
        earlier = _drawn(random, kind, count, many, as_of_us - span_us - before_us, before_us)
        first_pull_us = as_of_us - span_us
        still_open = (earlier["end_us"] == 0) | (earlier["end_us"] >= first_pull_us)
        parts.append({name: values[still_open] for name, values in earlier.items()})
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows["end_us"] = np.where(rows["end_us"] > as_of_us, 0, rows["end_us"])
    return {**rows, "is_before": rows["started_us"] < as_of_us - span_us}


def _drawn(random: np.random.Generator, kind: Kind, count: int, incidents: int, from_us: int, span_us: int) -> Columns:
    size = count * incidents
    place = random.random(size)
    is_later = (place >= 0.5) & (kind.later_hours is not None)
    hours: npt.NDArray[np.float64] = np.where(is_later, kind.later_hours or 0.0, kind.hours)
    duration_us = (hours * HOUR_US * np.exp(SIGMA * random.standard_normal(size))).astype(np.int64)
    started_us = from_us + (place * span_us).astype(np.int64)
    never = random.random(size) < kind.never_closed
    return {
        "history": np.repeat(np.arange(count), incidents),
        "started_us": started_us,
        "end_us": np.where(never, 0, started_us + duration_us),
    }


def observed(rows: Columns, as_of_us: int) -> Columns:
    """The columns of `figures.observations` that a shift needs, sorted by duration; the history is the service."""
    is_event = rows["end_us"] > 0
    observed_us = np.where(is_event, rows["end_us"], as_of_us) - rows["started_us"]
    order = np.lexsort((~is_event, observed_us))
    return {
        "service_id": rows["history"][order],
        "started_us": rows["started_us"][order],
        "incident_no": np.arange(len(order))[order],
        "observed_us": observed_us[order],
        "is_event": is_event[order],
    }
