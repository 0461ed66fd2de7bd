"""What the benchmarks share: a synthetic vendor in a process of its own, a side in a process of its own, and a table.

A side is a program that does its work and prints one JSON object as its last line: `seconds` (of the work, without the
imports), `requests` and whatever else there is to say. Its peak memory is that of its largest process, as the operating
system counted it. This module imports nothing heavy: a child begins with the peak of its parent.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent


@contextmanager
def account(*arguments: object) -> Iterator[str]:
    """The synthetic PagerDuty account of `_vendor.py`; yields its address."""
    command = [sys.executable, str(HERE / "_vendor.py"), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            if not address:
                raise SystemExit("The synthetic vendor did not start.")
            yield address
        finally:
            server.stdin.close()


def answered(address: str) -> int:
    """How many requests the synthetic account has answered so far."""
    with urlopen(f"{address}/requests") as response:
        return int(response.read())


@dataclass
class Side:
    """One side's runs."""

    name: str
    runs: list[dict[str, Any]] = field(default_factory=list)

    def value(self, key: str) -> float:
        """The median over the runs."""
        return float(median(run[key] for run in self.runs))

    def spread(self, key: str) -> str:
        """`median (least - most)`, or the value alone when it never differed."""
        values = sorted(run[key] for run in self.runs)
        shown = f"{median(values):,.2f}" if isinstance(values[0], float) else f"{median(values):,.0f}"
        if len(values) == 1 or values[0] == values[-1]:
            return shown
        form = ",.2f" if isinstance(values[0], float) else ",.0f"
        return f"{shown} ({values[0]:{form}} - {values[-1]:{form}})"


def run_side(script: str, *arguments: object, python: str = sys.executable) -> dict[str, Any]:
    """Run one side to its end; gives what it printed, and `wall` and CPU seconds and the peak memory of the process. Its errors
    end the benchmark.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            [python, str(HERE / script), *map(str, arguments)],
            stdout=out,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))},
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{script} ended with {child.returncode}.")
        out.seek(0)
        said: dict[str, Any] = json.loads(out.read().decode().strip().splitlines()[-1])
    return {**said, "peak_mib": usage.ru_maxrss / 1024, "cpu": usage.ru_utime + usage.ru_stime, "wall": wall}


def has(module: str, python: str) -> bool:
    """Whether an interpreter can import a module."""
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def ratio(one: Side, other: Side, key: str) -> str:
    """How many times `one` is `other`, run by run: they were measured in turn, so a noisy hour hits both."""
    values = [a[key] / b[key] for a, b in zip(one.runs, other.runs, strict=True)]
    shown = f"{median(values):.2f}"
    return shown if len(values) == 1 else f"{shown} ({min(values):.2f} - {max(values):.2f})"


def machine() -> str:
    """Processors, Python and the packages whose versions matter here."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "requests", "polars"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [[*head], ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines
    )


def say(text: str) -> None:
    """Progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def built(script: str, size: Sequence[str], count: int) -> list[dict[str, Any]]:
    """What a side that builds tables (`_side_tables`) tells of each run over the same given incidents."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "given"
        say("generate")
        run_side(script, "generate", "--data", data, *size)
        runs = []
        for number in range(count):
            say(f"run {number + 1} of {count}")
            runs.append(run_side(script, "build", "--data", data))
            for broken in runs[-1]["failed"]:
                say(f"a check failed: {broken}")
    return runs


def per_table(runs: Sequence[Mapping[str, Any]], marked: Sequence[str] = (), mark: str = "") -> str:
    """A line per table: seconds, CPU seconds and rows, and whether it is one of those that count."""
    rows = []
    for name, (_, _, count) in runs[0]["tables"].items():
        told = Side(name, [{"wall": run["tables"][name][0], "cpu": run["tables"][name][1]} for run in runs])
        rows.append(
            [
                name,
                told.spread("wall"),
                told.spread("cpu"),
                f"{count:,}",
                *["yes" if name in marked else ""][: len(mark)],
            ]
        )
    return table(["table", "seconds", "CPU seconds", "rows", *filter(None, [mark])], rows)


def against_scan(runs: Sequence[Mapping[str, Any]], only: Sequence[str] = ()) -> Side:
    """All tables of a run together, or `only` some, with the `ratio` of their CPU seconds to those of one scan of the incidents."""
    summed = [
        {what: sum(told[place] for name, told in run["tables"].items() if name in (only or run["tables"]))
         for what, place in (("wall", 0), ("cpu", 1))}
        for run in runs
    ]  # fmt: skip
    return Side(
        "tables", [{**one, "ratio": one["cpu"] / run["baseline"]} for one, run in zip(summed, runs, strict=True)]
    )
