"""What the command line shows: progress bars while pulling, the summary after a run, the doctor's list."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mttr_pipeline.cli.doctor import Finding
from mttr_pipeline.cli.usage import listed
from mttr_pipeline.hidden import one_line


class Bars:
    """Progress of extraction on stderr; silent when that is no terminal. Implements `sources.progress.Progress`."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[records]} records"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bars.stop()

    def start(self, source: str) -> None:
        """See Progress."""
        self._tasks[(source, "")] = self._bars.add_task(source, total=None, records=0)

    def update(self, source: str, stream: str, done_windows: int, total_windows: int, records: int) -> None:
        """See Progress."""
        key = (source, stream)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(f"{source} {stream}", total=total_windows, records=0)
        self._bars.update(self._tasks[key], completed=done_windows, total=total_windows, records=records)

    def finish(self, source: str) -> None:
        """See Progress."""
        for (name, _), task in self._tasks.items():
            if name == source:
                self._bars.stop_task(task)


_WIDTH = 180  # a table takes what it needs; in less room than that it cuts off its numbers


class _PlainConsole(Console):
    """Shows texts of vendors, in cells of tables too, without what would steer the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str("\n".join(map(one_line, text.split("\n"))), **options)


def wide_console() -> Console:
    """stdout; wide enough for the tables when it is a file or a pipe. Names are shown as they are, brackets too."""
    console = _PlainConsole(markup=False, emoji=False)
    return console if console.is_terminal else _PlainConsole(width=_WIDTH, markup=False, emoji=False)


def print_summary(generation: Path, console: Console) -> None:
    """What was published: the last 30 days against the 30 before, per severity, how fresh each source is, targets, downtime,
    deploys, errors and post-mortems, and whether the data bears figures. Where it does not, that comes first."""
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        # A line stays one line, however long: what is broken over lines cannot be searched for.
        quality = quality_line(con, plain=console.options.ascii_only)
        is_red = con.execute("SELECT light = 'red' FROM data_quality_status WHERE source = 'all'").fetchall()[0][0]
        parts = [
            _recovery(con),
            _freshness(con),
            *filter(None, [targets_line(con), records_line(con)]),
            *downtime_lines(con),
            *deploys_lines(con),
            *errors_lines(con),
            *learning_lines(con),
            *names_lines(con),
        ]
        for part in (quality, *parts) if is_red else (*parts, quality):
            console.print(part, soft_wrap=not isinstance(part, Table))


def _recovery(con: duckdb.DuckDBPyConnection) -> Table:
    as_of = con.execute("SELECT strftime(max(as_of), '%Y-%m-%d %H:%M UTC') FROM mttr_stats").fetchall()[0][0]
    table = Table(title=f"Minutes from detected to resolved, as of {as_of}", title_justify="left", box=box.SIMPLE_HEAD)
    counts = ("incidents", "analysed", "open", "outliers", "other", "outlier minutes")
    for name in ("scope", "window", *counts, "mean", "median", "p95"):
        table.add_column(name, justify="left" if name in ("scope", "window") else "right", no_wrap=True)
    rows = con.execute(
        """SELECT scope_value,
            CASE WHEN window_start IS NULL THEN 'all'
                WHEN window_end = as_of THEN '30 d' ELSE '30 d before' END AS span,
            incidents_matched, incidents_analyzed, excluded_open, excluded_outlier,
            excluded_invalid + excluded_missing_start + excluded_missing_end, -- so that the counts add up
            CASE WHEN excluded_outlier > 0 THEN outlier_minutes_share END,
            mean_minutes, median_minutes, CASE WHEN incidents_analyzed >= 20 THEN p95_minutes END
        FROM mttr_stats
        WHERE calculation_type = 'basic' AND (scope = 'all' OR (scope = 'severity' AND window_start IS NULL))
        ORDER BY scope, scope_value, window_start DESC NULLS LAST"""
    ).fetchall()
    for scope, span, *numbers, share, mean, median, p95 in rows:
        figures = (minutes(value) for value in (mean, median, p95))
        table.add_row(scope, span, *(f"{count:,}" for count in numbers), percent(share), *figures)
    return table


def _freshness(con: duckdb.DuckDBPyConnection) -> Table:
    table = Table(title="Sources", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("source", "last run", "records", "quarantined", "requests", "data as of"):
        table.add_column(
            name, justify="right" if name in ("records", "quarantined", "requests") else "left", no_wrap=True
        )
    for row in con.execute(
        """SELECT source, status, records_fetched, quarantined, requests,
            coalesce(strftime(data_as_of, '%Y-%m-%d %H:%M UTC'), 'never') FROM (
            SELECT *, row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) AS place FROM source_runs)
        WHERE place = 1 ORDER BY source"""
    ).fetchall():
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row))
    return table


# Each light with a shape of its own: not everybody sees colours, and a log has none.
_LIGHTS = {
    "green": ("green", "\N{BLACK CIRCLE} green"),
    "amber": ("yellow", "\N{BLACK UP-POINTING TRIANGLE} amber"),
    "red": ("red", "\N{BLACK DIAMOND} red"),
    "no_data": ("", "no data"),
}


def quality_line(con: duckdb.DuckDBPyConnection, *, plain: bool) -> Text:
    """The traffic light of all data, and the worst finding in words."""
    light, headline = con.execute("SELECT light, headline FROM data_quality_status WHERE source = 'all'").fetchall()[0]
    colour, word = _LIGHTS[light]
    text = Text(" data quality  ").append(word.encode("ascii", "ignore").decode().strip() if plain else word, colour)
    return text.append(one_line(f": {headline}"))


def targets_line(con: duckdb.DuckDBPyConnection) -> str | None:
    """The severities of the last 90 days against their targets; a miss is named only where chance is an unlikely cause."""
    rows = con.execute(
        """SELECT severity, within_target, incidents_count, is_missed FROM target_compliance
        WHERE service IS NULL AND incidents_count > 0 AND window_start = (SELECT min(window_start) FROM target_compliance)
        ORDER BY severity"""
    ).fetchall()
    if not rows:
        return None
    counts = ", ".join(f"{severity} {within:,} of {count:,}" for severity, within, count, _ in rows)
    missed = [severity for severity, *_, is_missed in rows if is_missed]
    text = f" targets       within target in the last 90 days: {counts}"
    if missed:
        text += f". {listed(missed)} missed {'its target' if len(missed) == 1 else 'their targets'} more often than the goal allows."
    return text


def records_line(con: duckdb.DuckDBPyConnection) -> str | None:
    """How many records made how many incidents, and of which two sources; nothing where every record is an incident."""
    rows = con.execute(
        """SELECT scope, source, other_source, records, incidents FROM correlation
        WHERE scope = 'pair' OR (scope = 'all' AND joined > 0) ORDER BY scope, source, other_source"""
    ).fetchall()
    if not rows or rows[0][0] != "all":
        return None
    (_, _, _, records, incidents), *pairs = rows
    told = ", ".join(f"{source} and {other} {n:,}" for _, source, other, _, n in pairs)
    return f" records       {records:,} records make {_incidents(incidents)}{f'; in two tools at once: {told}' if told else ''}"


def _incidents(number: int) -> str:
    return f"{number:,} incident{'s' * (number != 1)}"


def percent(share: float | None) -> str:
    """A share for reading: one decimal, 100.0 only when it is all; no data is a dash."""
    return "-" if share is None else f"{100 * share if share == 1 else min(100 * share, 99.9):.1f} %"


def downtime_lines(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Availability and cost of the last 30 days, and the abandoned incidents, each only if there is something to say."""
    found = []
    for without, with_them in con.execute(
        """SELECT availability_pct, availability_with_abandoned_pct FROM downtime
        WHERE scope = 'all' AND window_start IS NOT NULL AND availability_pct IS NOT NULL
        ORDER BY window_start DESC LIMIT 1"""
    ).fetchall():
        apart = f", with abandoned incidents {_share(with_them)}" if _share(with_them) != _share(without) else ""
        found.append(f" availability  all services together, last 30 days: {_share(without)}{apart}")
    for users, n_users, n, revenue, n_revenue in con.execute(
        """SELECT user_minutes, n_users_known, n, revenue_impact, n_revenue_known FROM downtime
        WHERE scope = 'all' AND window_start IS NOT NULL AND n_users_known + n_revenue_known > 0
            AND window_start = (SELECT max(window_start) FROM downtime)"""
    ).fetchall():
        known = [f"{users:,.0f} user-minutes ({n_users:,} of {n:,} incidents with known users)"] if n_users else []
        known += [f"revenue impact {revenue:,.0f} (stated by {n_revenue:,})"] if n_revenue else []
        found.append(f" cost          last 30 days: {'; '.join(known)}")
    for number, quiet in con.execute(
        "SELECT count(*), min(quiet_days) FROM abandoned_incidents HAVING count(*) > 0"
    ).fetchall():
        are = "open incident is" if number == 1 else "open incidents are"
        found.append(
            f" abandoned     {number:,} {are} quiet for at least {int(quiet):,} days; see the table abandoned_incidents"
        )
    return found


def deploys_lines(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Deploys to production of the last 30 days and the incidents that are linked to one; nothing without any deploy."""
    found = []
    for deploys, failed, n, linked, explicit in con.execute(
        """SELECT deploys, failed_deploys, n_incidents, n_linked, n_explicit FROM delivery
        WHERE scope = 'all' AND window_start = (SELECT max(window_start) FROM delivery)"""
    ).fetchall():
        text = f" deploys       last 30 days: {deploys:,} to production"
        if deploys:
            text += f", of which {failed:,} introduced an incident or {'was' if failed == 1 else 'were'} rolled back"
        if n:
            text += f"; {linked:,} of {_incidents(n)} linked to a deploy"
            text += f", {explicit:,} of them because it is named" if linked else ""
        found.append(text)
    return found


def errors_lines(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Unresolved issues by class, and releases that crash more than the one before; nothing without an error tracker."""
    found = []
    for unresolved, new, regressions, ineffective in con.execute(
        """SELECT count(triage_rank), count(*) FILTER (class = 'new'), count(*) FILTER (class = 'regression'),
            count(*) FILTER (fix_state = 'ineffective' AND status = 'unresolved')
        FROM error_issues HAVING count(*) > 0"""
    ).fetchall():
        text = f" errors        {unresolved:,} unresolved"
        text += f", of which {new:,} new and {regressions:,} back after a resolve" if unresolved else ""
        found.append(f"{text}; {ineffective:,} with a fix that did not hold" if ineffective else text)
    return found


def learning_lines(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Post-mortems of all incidents of SEV1 and SEV2 that are due; nothing where no post-mortem of any incident is known."""
    return [
        f" post-mortems  {completed:,} of {n:,} that are due are completed, {on_time:,} on time"
        for n, completed, on_time in con.execute(
            """SELECT n, completed, on_time FROM learning
            WHERE scope = 'all' AND window_start IS NULL AND completed IS NOT NULL AND n > 0"""
        ).fetchall()
    ]


def names_lines(con: duckdb.DuckDBPyConnection) -> list[str]:
    """How many spellings of services and teams count under another one, by source; nothing where all are spelled in one way."""
    rows = con.execute(
        "SELECT source, n, total, examples[1] FROM data_quality WHERE dq_check = 'spellings_folded' AND n > 0 ORDER BY source"
    ).fetchall()
    told = "; ".join(f"{source} {n:,} of {total:,}, such as {example}" for source, n, total, example in rows)
    return [f" names         spellings of services and teams that count under another one: {told}"] if rows else []


def _share(value: float) -> str:
    """A percentage that is not rounded up to 100."""
    return f"{min(value, 99.999) if value < 100 else value:.3f} %"


def minutes(value: float | None) -> str:
    """Minutes for reading: one decimal; no data is a dash, never 0."""
    return "-" if value is None else f"{value:,.1f}"


def doctor_line(finding: Finding) -> str:
    """One line, however long: a finding that is broken over lines cannot be searched for."""
    text = f"ok{': ' + finding.text if finding.text else ''}" if finding.ok else finding.text
    return one_line(f"{finding.name:<16}{' '.join(text.split())}")
