"""Figures as text for people. Every function that returns markup keeps the exact value in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from markupsafe import Markup

from mttr_pipeline.reports.document import Document

__all__ = [
    "amount",
    "count",
    "day",
    "days",
    "duration",
    "instant",
    "linked_by",
    "listed",
    "minutes",
    "number",
    "part",
    "percent",
    "plural",
    "probability",
    "rate",
    "recovery",
    "share",
    "short_version",
    "shortened",
    "status",
    "times",
    "version",
]

_NONE = Markup('<span class="none">no data</span>')


def _exactly(value: float, shown: str) -> Markup:
    """A number as people read it. Nothing of a number needs escaping, which would take most of the time of a page."""
    return Markup(f'<data value="{value!r}">{shown}</data>')


def duration(value: float) -> str:
    """Minutes in the unit that suits them: 42 s, 13 min, 3 h 2 min, 4.5 days."""
    if value < 1:
        return f"{value * 60:.0f} s"
    if round(value) < 60:
        return f"{value:.1f} min" if value < 9.95 else f"{value:.0f} min"
    if value < 48 * 60:
        hours, rest = divmod(round(value), 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{value / 1440:,.1f} days"


def minutes(value: float | None) -> Markup:
    """A duration with its exact minutes, so that readers can find it in the tables."""
    return _NONE if value is None else _exactly(value, duration(value))


def days(value: float) -> Markup:
    """A duration that is given in days, with its exact value."""
    return Markup('<data value="{}">{}</data>').format(repr(value), duration(value * 1440))


def recovery(row: Document) -> Markup:
    """The typical recovery; if it is not reached, `> ` and the longest observation."""
    if row["km_median"] is None and row["longest_minutes"] is not None:
        return Markup("&gt;\N{NO-BREAK SPACE}{}").format(minutes(row["longest_minutes"]))
    return minutes(row["km_median"])


def percent(value: float | None, digits: int = 0) -> Markup:
    """A percentage: `12 %`."""
    return _NONE if value is None else _exactly(value, f"{value:,.{digits}f} %".replace("-", "\N{MINUS SIGN}"))


def share(value: float | None, goal: float = 95, least: int = 1) -> Markup:
    """A percentage with enough digits, and at least so many, not to round up to 100 or to the goal."""
    if value is None:
        return _NONE
    digits = next(
        (
            digits
            for digits in range(least, 5)
            if all((round(value, digits) < edge) == (value < edge) for edge in (100, goal))
        ),
        5,
    )
    return percent(value, digits if value % 1 else 0)


def part(value: float | None) -> Markup:
    """A part of a whole, 0 to 1, as a percentage; it carries the exact part."""
    if value is None:
        return _NONE
    return Markup('<data value="{}">{}</data>').format(repr(value), share(100 * value).striptags())


def times(value: float | None) -> Markup:
    """A multiple: `3.1 times`."""
    if value is None:
        return _NONE
    return _exactly(value, f"{value:.1f} times" if value < 9.95 else f"{value:,.0f} times")


def number(value: float | None) -> Markup:
    """A ratio with two or three decimals."""
    if value is None:
        return _NONE
    shown = "below 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.0995 else f"{value:,.2f}"
    return _exactly(value, shown)


def probability(value: float | None) -> Markup:
    """The right side of an equation for a p or q: `= 0.015`, or `< 0.001`."""
    if value is None:
        return Markup(": ") + _NONE
    if value < 0.001:
        return Markup('<data value="{}">&lt;\N{NO-BREAK SPACE}0.001</data>').format(repr(value))
    return Markup("=\N{NO-BREAK SPACE}") + number(value)


def rate(value: float | None) -> Markup:
    """How often a day: `2.3 a day`."""
    if value is None:
        return _NONE
    shown = (
        "0" if not value else "below 0.01" if value < 0.005 else f"{value:.2f}" if value < 0.995 else f"{value:,.1f}"
    )
    return _exactly(value, f"{shown} a day")


def count(value: int | None) -> Markup:
    """A count with thousands separators: `1,234`."""
    return _NONE if value is None else _exactly(value, f"{value:,}")


def amount(value: float | None) -> Markup:
    """A large number without decimals: `12,345`."""
    return _NONE if value is None else Markup('<data value="{}">{}</data>').format(repr(value), f"{value:,.0f}")


def instant(value: str | None) -> Markup:
    """An instant in UTC, to the minute."""
    if value is None:
        return _NONE
    return Markup('<time datetime="{}">{:%-d %b %Y, %H:%M} UTC</time>').format(value, datetime.fromisoformat(value))


def day(value: str) -> Markup:
    """The date of an instant."""
    return Markup('<time datetime="{}">{:%-d %b %Y}</time>').format(value, datetime.fromisoformat(value))


def plural(number: int, one: str, several: str | None = None) -> Markup:
    """A count and its noun: `1 incident`, `2 incidents`."""
    return Markup("{} {}").format(count(number), one if number == 1 else several or f"{one}s")


_LINKS = {
    "vendor": "tool's own link",
    "url": "by address",
    "key": "by key",
    "text": "by a note",
    "dedup": "same alert",
    "chosen": "by decision",
}


def linked_by(reason: str) -> str:
    """Why a record is a part of an incident: `by address`."""
    return _LINKS[reason]


def listed(words: Iterable[str]) -> str:
    """`a, b and c`. At least one word."""
    *first, last = list(words)
    return f"{', '.join(first)} and {last}" if first else last


def status(value: str) -> str:
    """A status without underscores: `no data`."""
    return value.replace("_", " ")


def short_version(value: str) -> str:
    """A version for people: of the 40 digits of a commit the first ten, which tell it from all others."""
    return value[:10] if re.fullmatch("[0-9a-fA-F]{40}", value) else value


def version(value: str) -> Markup:
    """A version, with all digits of a commit in the title."""
    if (short := short_version(value)) == value:
        return Markup("<bdi>{}</bdi>").format(value)
    return Markup('<bdi title="{}">{}</bdi>').format(value, short)


def shortened(text: str, longest: int = 60) -> str:
    """Text on one line, cut after `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest].rstrip()}\N{HORIZONTAL ELLIPSIS}"
