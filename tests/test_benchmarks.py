"""The benchmarks still run. They are started small, and no time is looked at: what they measure is not for a test to judge."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = (
    *("pagerduty_pull.py", "backfill.py", "metrics.py", "nights.py"),
    *("correlation.py", "delivery.py", "errors.py", "learning.py"),
)


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_benchmark_explains_its_options(script: str) -> None:
    assert "usage:" in run(script, "--help")


@pytest.mark.slow
def test_a_pull_against_the_bare_requests() -> None:
    told = run("pagerduty_pull.py", "--incidents", "150", "--runs", "1", "--no-dlt")
    assert "| bare" in told and "| ours" in told


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("dlt") is None, reason="dlt is not installed: pip install 'dlt[duckdb,parquet]'"
)
def test_a_pull_against_dlt() -> None:
    assert "| dlt" in run("pagerduty_pull.py", "--incidents", "150", "--runs", "1")


@pytest.mark.slow
def test_a_backfill_and_the_night_after_it() -> None:
    told = run("backfill.py", "--incidents", "200", "--changed", "10", "--latency-ms", "2")
    assert "pull / bare" in told and "for 10 changed incidents" in told


@pytest.mark.slow
def test_a_backfill_under_a_limit() -> None:
    told = run("backfill.py", "--incidents", "100", "--latency-ms", "2", "--per-minute", "600")
    assert "pull / (requests / 600 a minute)" in told


@pytest.mark.slow
def test_all_metrics_of_a_synthetic_history() -> None:
    """Plain Python computes the same figures along the way; the script fails when they differ."""
    told = run("metrics.py", "--rows", "3000", "--services", "9", "--teams", "3", "--runs", "1")
    assert "| mart.mttr_stats" in told and "| JSON, page, DuckDB and Parquet" in told and "plain Python" in told


@pytest.mark.slow
def test_many_nights_against_one() -> None:
    """The script fails when the two sides do not load the same records."""
    assert "| nights |" in run("nights.py", "--incidents", "200", "--nights", "4", "--runs", "1")


@pytest.mark.slow
def test_correlation_against_all_other_tables() -> None:
    told = run("correlation.py", "--rows", "20000", "--runs", "1")
    assert "| core.golden" in told and "| correlation / all other tables" in told


@pytest.mark.slow
def test_issues_of_error_trackers_beside_incidents() -> None:
    told = run("errors.py", "--incidents", "3000", "--deploys", "600", "--issues", "500", "--runs", "1")
    assert "| core.error_fixes" in told and "times the CPU seconds of one scan" in told


@pytest.mark.slow
@pytest.mark.parametrize("script, table", [("delivery.py", "core.incident_deploys"), ("learning.py", "facts.learned")])
def test_tables_beside_incidents(script: str, table: str) -> None:
    told = run(script, "--incidents", "3000", "--runs", "1")
    assert f"| {table}" in told and "a check failed" not in told and "times the CPU seconds of one scan" in told
