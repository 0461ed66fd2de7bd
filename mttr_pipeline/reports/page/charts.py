"""The charts: Vega-Lite through Altair, rendered to SVG when the page is built.

SVG is static: it needs no script, it prints, and the same data gives the same chart. Colours are variables of the style
sheet, so that a chart follows light mode, dark mode and print. Each chart is rendered twice, for a desktop and for a phone,
because the text of a chart that is scaled down is too small to read. Altair and vl-convert are imported when the first chart
is rendered, because the import takes most of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mttr_pipeline.reports.compliance import GOAL_PCT
from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page.words import short_version

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.Chart | alt.LayerChart | alt.VConcatChart

WIDE, NARROW = 940, 318
MOST_BARS = 20  # more cannot be told apart on one page
_LIGHT = {
    "--ink": "#1b1f24",
    "--muted": "#57606a",
    "--grid": "#d8dee4",
    "--accent": "#0b5cad",
    "--soft": "#5c99d6",
    "--paper": "#ffffff",
}
_INK, _MUTED, _GRID, _ACCENT, _SOFT, _PAPER = (f"var({name})" for name in _LIGHT)
_HEADROOM = 2.5
_LEFT_OUT = "not in typical recovery"
_NAMES: dict[str, Any] = {"title": None, "ticks": False, "domain": False, "minExtent": 118, "labelPadding": 8}
_INNER_ROLE = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')  # the label of the whole chart is its text alternative
_OPENING = re.compile(r"<svg [^>]*?width=\"(?P<width>[\d.]+)\" height=\"(?P<height>[\d.]+)\"[^>]*>")


@dataclass(frozen=True)
class Figure:
    """A chart in both widths, each with its text alternative."""

    wide: Markup
    narrow: Markup


def figure(
    chart: Callable[[Sequence[Document]], Callable[[int], Chart]], rows: Sequence[Document], label: str
) -> Figure:
    """Render a chart of these rows for a desktop and for a phone. `label` is its text alternative.

    The same chart is drawn once in a process: drawing takes more than nine tenths of the time of a page.
    """
    return _figure(chart, json.dumps(rows), label)


@lru_cache(maxsize=32)
def _figure(chart: Callable[[Sequence[Document]], Callable[[int], Chart]], rows: str, label: str) -> Figure:
    draw = chart(json.loads(rows))
    return Figure(_svg(draw(WIDE), label, "wide"), _svg(draw(NARROW), label, "narrow"))


def trend(weeks: Sequence[Document]) -> Callable[[int], alt.VConcatChart]:
    """Typical recovery per week, with a hollow dot where incidents are still open, above the number of incidents by state.

    Only the number of incidents where no week has enough recoveries for a typical recovery.
    """
    import altair as alt

    measured = [row for row in weeks if not row["low_n"]]
    longest = max((row["km_median"] or row["km_median_low"] or row["longest_minutes"] for row in measured), default=0)
    unit, per = ("hours", 60) if longest >= 180 else ("minutes", 1)
    # Very wide limits would flatten the rest of the chart. They are cut off at its edge; the table has them in full.
    top = max(_HEADROOM * longest / per, 1)
    states: list[Any] = ["recovered", "open or timed out", _LEFT_OUT]
    shown = [
        {
            "week": f"{datetime.fromisoformat(row['window_start']):%-d %b}",
            **(_recovery(row, per, top) if row in measured else {}),
            "immature": row["immature"],
            "is_partial": row["is_partial"],
            "recovered": row["n_events"],
            "open or timed out": row["n_open"],
            _LEFT_OUT: row["incident_count"] - row["n_events"] - row["n_open"],
        }
        for row in weeks
    ]
    if not any(row[_LEFT_OUT] for row in shown):
        states.remove(_LEFT_OUT)

    def draw(width: int) -> alt.VConcatChart:
        week = alt.X(
            "week:O",
            scale=alt.Scale(domain=[row["week"] for row in shown]),
            axis=alt.Axis(title="week of", labelAngle=0, labelOverlap=True, labelSeparation=12),
        )
        base = alt.Chart(alt.Data(values=shown)).encode(x=week)
        counts = (
            base.transform_fold(states, as_=["state", "incidents"])
            .mark_bar(stroke=_PAPER)
            .encode(
                y=alt.Y("incidents:Q", axis=alt.Axis(title=None, tickCount=3, minExtent=40, maxExtent=40)),
                color=alt.Color(
                    "state:N",
                    scale=alt.Scale(domain=states, range=[_SOFT, _INK, _MUTED][: len(states)]),
                    legend=alt.Legend(
                        title=None, orient="bottom", columnPadding=28, columns=len(states) if width == WIDE else 1
                    ),
                ),
                opacity=alt.when("datum.is_partial").then(alt.value(0.5)).otherwise(alt.value(1)),
            )
            .properties(width=width, height=90, title="Incidents")
        )
        if not measured:
            return alt.vconcat(counts)
        scale = alt.Scale(domain=[0, top], nice=False)
        numbers = alt.Axis(title=None, tickCount=4, minExtent=40, maxExtent=40)
        limits = base.mark_rule(color=_SOFT, strokeWidth=6, strokeCap="butt").encode(
            y=alt.Y("low:Q", axis=numbers, scale=scale), y2=alt.Y2("high:Q")
        )
        beyond = base.mark_point(
            shape="triangle-up", filled=True, size=110, opacity=1, color=_ACCENT, yOffset=4
        ).encode(y=alt.Y("beyond:Q", scale=scale))
        dots = base.mark_point(size=80, opacity=1, stroke=_ACCENT, strokeWidth=2).encode(
            y=alt.Y("recovery:Q", scale=scale),
            fill=alt.when("datum.immature").then(alt.value(_PAPER)).otherwise(alt.value(_ACCENT)),
        )
        recovery = limits + beyond + dots
        return alt.vconcat(recovery.properties(width=width, height=220, title=f"Typical recovery, {unit}"), counts)

    return draw


def _recovery(row: Document, per: int, top: float) -> dict[str, float]:
    """The marks of a week: its recovery and limits as far as they exist, and an arrow where they exceed the top of the chart."""
    low, middle, high = (row[name] for name in ("km_median_low", "km_median", "km_median_high"))
    marks = {}
    if middle is not None:
        marks["recovery"] = middle / per
    if low is not None or high is not None:
        marks |= {"low": min((low or 0) / per, top), "high": top if high is None else min(high / per, top)}
    if middle is None or marks.get("high") == top:
        marks["beyond"] = top
    return marks


def phases(rows: Sequence[Document]) -> Callable[[int], alt.LayerChart]:
    """A bar per phase: its share of the time, for incidents that have every phase."""
    import altair as alt

    shown = [
        {
            "phase": row["phase"].capitalize(),
            "share": row["share_pct"],
            "label": f"{row['share_pct']:.0f} %",
        }
        for row in rows
        if row["share_pct"] is not None
    ]

    def draw(width: int) -> alt.LayerChart:
        base = alt.Chart(alt.Data(values=shown)).encode(
            y=alt.Y("phase:N", sort=None, axis=alt.Axis(**_NAMES)),
            x=alt.X("share:Q", axis=alt.Axis(title="share of the time, %", tickCount=5)),
        )
        bars = base.mark_bar(color=_ACCENT, height=18)
        names = base.mark_text(align="left", dx=5, color=_INK).encode(text=alt.Text("label:N"))
        return (bars + names).properties(width=width, height=34 * len(shown))

    return draw


def targets(rows: Sequence[Document]) -> Callable[[int], alt.LayerChart]:
    """Per severity the share within target with its limits, and a line for the goal."""
    import altair as alt

    shown = [
        {
            "severity": f"{row['severity']} (n = {row['incidents_count']:,})",
            "within": row["compliance_pct"],
            "low": row["compliance_low_pct"],
            "high": row["compliance_high_pct"],
        }
        for row in rows
    ]

    def draw(width: int) -> alt.LayerChart:
        percent = alt.Scale(domain=[0, 100])
        base = alt.Chart(alt.Data(values=shown)).encode(y=alt.Y("severity:N", sort=None, axis=alt.Axis(**_NAMES)))
        limits = base.mark_rule(color=_SOFT, strokeWidth=8, strokeCap="round").encode(
            x=alt.X("low:Q", scale=percent, axis=alt.Axis(title="within target, %", values=[0, 25, 50, 75, 95])),
            x2=alt.X2("high:Q"),
        )
        dots = base.mark_point(color=_ACCENT, filled=True, size=110, opacity=1).encode(
            x=alt.X("within:Q", scale=percent)
        )
        goal = (
            alt.Chart(alt.Data(values=[{"goal": GOAL_PCT}]))
            .mark_rule(color=_INK, strokeDash=[4, 3])
            .encode(x=alt.X("goal:Q", scale=percent))
        )
        return (goal + limits + dots).properties(width=width, height=40 * len(shown))

    return draw


def deploys(weeks: Sequence[Document]) -> Callable[[int], alt.Chart]:
    """Bars of the deploys per week, the failed ones at the bottom; pale where only a part of the week is known."""
    import altair as alt

    states = {"failed_deploys": "failed", "other_deploys": "others"}
    shown = [
        {
            "week": f"{datetime.fromisoformat(row['window_start']):%-d %b}",
            "is_partial": row["is_partial"],
            "place": place,
            "state": state,
            "deploys": row[name],
        }
        for row in weeks
        for place, (name, state) in enumerate(states.items())
    ]

    def draw(width: int) -> alt.Chart:
        return (
            alt.Chart(alt.Data(values=shown))
            .mark_bar(stroke=_PAPER)
            .encode(
                x=alt.X(
                    "week:O",
                    scale=alt.Scale(domain=[row["week"] for row in shown[:: len(states)]]),
                    axis=alt.Axis(title="week of", labelAngle=0, labelOverlap=True, labelSeparation=12),
                ),
                y=alt.Y("deploys:Q", axis=alt.Axis(title=None, tickCount=4, tickMinStep=1, minExtent=40, maxExtent=40)),
                order=alt.Order("place:Q"),
                color=alt.Color(
                    "state:N",
                    scale=alt.Scale(domain=list(states.values()), range=[_INK, _SOFT]),
                    legend=alt.Legend(title=None, orient="bottom", columnPadding=28, columns=len(states)),
                ),
                opacity=alt.when("datum.is_partial").then(alt.value(0.5)).otherwise(alt.value(1)),
            )
            .properties(width=width, height=150, title="Deploys to production")
        )

    return draw


def crash_free(releases: Sequence[Document]) -> Callable[[int], alt.LayerChart]:
    """Per release the share of sessions without a crash, with its limits."""
    import altair as alt

    shown = [
        {
            "release": f"{row['service']} {short_version(row['version'])}",
            "free": row["crash_free_pct"],
            "low": row["crash_free_low_pct"],
            "high": row["crash_free_high_pct"],
        }
        for row in releases
    ]

    def draw(width: int) -> alt.LayerChart:
        # Not from 0: the differences that matter are parts of a percent.
        near = alt.Scale(domainMax=100, zero=False)
        base = alt.Chart(alt.Data(values=shown)).encode(y=alt.Y("release:N", sort=None, axis=alt.Axis(**_NAMES)))
        limits = base.mark_rule(color=_SOFT, strokeWidth=8, strokeCap="round").encode(
            x=alt.X("low:Q", scale=near, axis=alt.Axis(title="sessions without a crash, %", tickCount=5)),
            x2=alt.X2("high:Q"),
        )
        dots = base.mark_point(color=_ACCENT, filled=True, size=110, opacity=1).encode(x=alt.X("free:Q", scale=near))
        return (limits + dots).properties(width=width, height=40 * len(shown))

    return draw


def pages(teams: Sequence[Document]) -> Callable[[int], alt.Chart]:
    """Per team a bar of its pages, those at night first."""
    import altair as alt

    states = ("at night", "by day")
    shown = [
        {"team": row["scope_value"], "place": place, "state": states[place], "pages": pages}
        for row in teams
        for place, pages in enumerate((row["night_pages"], row["pages"] - row["night_pages"]))
    ]

    def draw(width: int) -> alt.Chart:
        return (
            alt.Chart(alt.Data(values=shown))
            .mark_bar(stroke=_PAPER)
            .encode(
                x=alt.X("pages:Q", axis=alt.Axis(title="pages", tickCount=5, tickMinStep=1)),
                y=alt.Y("team:N", sort=None, axis=alt.Axis(**_NAMES)),
                order=alt.Order("place:Q"),
                color=alt.Color(
                    "state:N",
                    scale=alt.Scale(domain=list(states), range=[_INK, _SOFT]),
                    legend=alt.Legend(title=None, orient="bottom", columnPadding=28, columns=len(states)),
                ),
            )
            .properties(width=width, height=34 * len(teams))
        )

    return draw


def png(chart: Chart) -> bytes:
    """The chart as PNG with fixed colours, for places without a style sheet."""
    import vl_convert

    text = json.dumps(_specification(chart, _PAPER))
    for name, colour in _LIGHT.items():
        text = text.replace(f"var({name})", colour)
    return vl_convert.vegalite_to_png(text, scale=1.5)


def _svg(chart: Chart, label: str, kind: str) -> Markup:
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(_specification(chart, "transparent"))
    found = _OPENING.match(drawn)
    assert found is not None, drawn[:200]
    opening = Markup('<svg class="{}" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">').format(
        kind, label, found["width"], found["height"], found["width"], found["height"]
    )
    return opening + Markup(_INNER_ROLE.sub("", drawn[found.end() :].strip()))


def _specification(chart: Chart, background: str) -> dict[str, Any]:
    """The chart as a Vega-Lite specification. Not validated: validation takes longer than rendering."""
    return {
        **chart.to_dict(validate=False),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": 4,
        "background": background,
        "config": _STYLE,
    }


_STYLE = {
    "aria": False,
    "font": "Roboto, system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _MUTED,
        "gridColor": _GRID,
        "domainColor": _GRID,
        "tickColor": _GRID,
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "labelLimit": 220,
    },
    "text": {"fontSize": 13},
    "legend": {"labelColor": _INK, "labelFontSize": 13, "symbolType": "square"},
    "title": {"fontSize": 14, "color": _INK, "anchor": "start", "fontWeight": "bold"},
}
