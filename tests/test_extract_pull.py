"""The plan of a pull and what becomes of failures, with a source that needs no vendor."""

from __future__ import annotations

import gc
import platform
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import file_size_limit, settings_for

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import ConfigError, ContractError, MttrError, PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Extract, Landing
from mttr_pipeline.progress import Progress, Silent
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.memory import share_memory
from mttr_pipeline.sources.kit.plan import believed, make_plan, next_high_water
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.pulling import Plan, build_source, pull

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
LAG = timedelta(minutes=30)


class Canned:
    """A source that lands one record per pull, or does what `trouble` does."""

    name = "acme"
    title = "Acme"

    def __init__(self, **options: Any) -> None:
        self.options = SourceOptions(**options)
        self.scope: dict[str, Any] = {}
        self.requests = 0
        self.trouble: Callable[[], object] = lambda: None
        self.plans: list[Plan] = []

    def check(self) -> str:
        return "ok"

    def close(self) -> None: ...

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        self.plans.append(plan)
        self.requests += 1
        if not extract.has("things", "first"):
            extract.land("things", "first", [b'{"id":1}'])
        self.trouble()
        extract.land("things", "second", [b'{"id":2}'])


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def run(landing: Landing, tmp_path: Path) -> Callable[..., Manifest]:
    numbers = iter(range(100))

    def once(source: Canned, as_of: datetime = NOW, **asked: Any) -> Manifest:
        return pull(source, settings_for(tmp_path), landing, f"run-{next(numbers):03d}", as_of=as_of, **asked)

    return once


Run = Callable[..., Manifest]


def test_the_first_pull_reaches_back_730_days_then_each_starts_at_the_mark(run: Run) -> None:
    source = Canned()
    run(source, NOW)
    run(source, NOW + DAY)
    run(source, NOW + 2 * DAY)
    assert [plan.mode for plan in source.plans] == ["backfill", "incremental", "incremental"]
    assert [plan.since for plan in source.plans] == [NOW - 730 * DAY, NOW - LAG, NOW + DAY - LAG]
    assert [plan.covered_since for plan in source.plans] == [None, NOW - 730 * DAY, NOW - 730 * DAY]


def test_the_configured_date_sets_the_first_pull_and_an_earlier_one_reads_again(run: Run) -> None:
    run(Canned(since=date(2026, 1, 1)))
    same, earlier = Canned(since=date(2026, 1, 1)), Canned(since=date(2025, 1, 1))
    run(same, NOW + DAY)
    run(earlier, NOW + 2 * DAY)
    assert same.plans[0].mode == "incremental"
    assert (earlier.plans[0].mode, earlier.plans[0].since) == ("backfill", datetime(2025, 1, 1, tzinfo=UTC))


def test_since_with_a_gap_to_what_is_known_leaves_the_mark(run: Run) -> None:
    """Rows between the mark and --since would otherwise never be read."""
    source = Canned()
    run(source, NOW - 10 * DAY)
    assert run(source, NOW, since=NOW - 2 * DAY).high_water is None
    run(source, NOW + DAY)
    assert source.plans[-1].since == NOW - 10 * DAY - LAG


def test_since_before_the_mark_moves_it(run: Run) -> None:
    source = Canned()
    run(source, NOW - 10 * DAY)
    assert run(source, NOW, since=NOW - 900 * DAY).high_water == (NOW - LAG).isoformat()
    assert source.plans[-1].mode == "backfill"


def test_a_first_pull_up_to_a_past_end_continues_from_there(run: Run) -> None:
    source = Canned()
    assert run(source, NOW, until=NOW - 100 * DAY).high_water == (NOW - 100 * DAY - LAG).isoformat()
    run(source, NOW)
    assert (source.plans[-1].mode, source.plans[-1].since) == ("incremental", NOW - 100 * DAY - LAG)


def test_an_empty_range_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="nothing to pull"):
        run(Canned(), NOW, since=NOW + DAY)


def test_another_scope_reads_the_history_again(run: Run) -> None:
    source = Canned()
    run(source)
    source.scope = {"jql": "project = X"}
    run(source, NOW + DAY)
    assert source.plans[-1].mode == "backfill"


def test_full_refresh_forgets_the_mark_and_not_the_past(run: Run, landing: Landing) -> None:
    source = Canned()
    run(source)
    run(source, NOW + DAY, full_refresh=True)
    assert (source.plans[-1].mode, source.plans[-1].since) == ("full", NOW + DAY - 730 * DAY)
    assert len(landing.manifests("acme")) == 2


instants = st.integers(0, 3000).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


@given(st.lists(st.tuples(instants, st.none() | instants, st.none() | instants), max_size=8), st.integers(0, 500))
def test_marks_are_covered_and_never_pass_the_clock(
    asked: list[tuple[datetime, datetime | None, datetime | None]], lag: int
) -> None:
    """Whatever is asked in whatever order: everything before a mark, back to the first pull, was read."""
    options = SourceOptions(lag_minutes=lag)
    complete: list[Manifest] = []
    read: list[tuple[datetime, datetime]] = []
    for as_of, since, until in asked:
        try:
            plan = make_plan(options, complete, as_of=as_of, since=since, until=until)
        except ConfigError:
            continue
        assert plan.since <= plan.until <= plan.as_of
        read.append((plan.since, plan.until))
        mark = next_high_water(plan, options)
        if mark is not None:
            assert mark <= min(as_of, until or as_of) - timedelta(minutes=lag)
        manifest = Manifest("acme", f"{len(complete):03d}", "complete", plan.as_json(), [], [])
        complete.append(Manifest(**{**_fields(manifest), "high_water": mark.isoformat() if mark else None}))
        newest = next((m.high_water for m in reversed(complete) if m.high_water), None)
        if newest:
            first = next(datetime.fromisoformat(m.plan["since"]) for m in complete if m.high_water)
            reached = first
            for start, end in sorted(read):
                if start <= reached:
                    reached = max(reached, end)
            assert reached >= datetime.fromisoformat(newest)


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in manifest.__struct_fields__}


def test_a_plan_survives_the_landing_zone() -> None:
    plan = make_plan(SourceOptions(), [], as_of=NOW, since=NOW - DAY, scope={"x": [1, None]})
    assert Plan.from_json(plan.as_json()) == plan


# -- a clock that once ran ahead ---------------------------------------------------------------------------------------


def test_a_mark_beyond_the_clock_is_told_and_what_it_skipped_is_read_again(run: Run, landing: Landing) -> None:
    source, now = Canned(), datetime.now(UTC)
    run(source, now - 2 * DAY)
    ahead = landing.begin("acme", "run-900", source.plans[-1].as_json() | {"mode": "incremental"})
    ahead.land("things", "skipping", [b'{"id":3}'])
    ahead.finish(now + 30 * DAY)

    mended = run(source, now)
    assert source.plans[-1].since == now.replace(microsecond=0) - 2 * DAY - LAG, "from the last mark that can be true"
    assert mended.facts["counts"] == {"pulls_by_a_clock_ahead": 1}
    assert mended.extract_id > "run-900", "extracts are in the order of their names"
    night_after = run(source, now + timedelta(minutes=1))
    assert night_after.facts == {} and source.plans[-1].since.isoformat() == mended.high_water, "told once"
    trusted, disbelieved = believed(landing.manifests("acme"), now + 60 * DAY)
    assert [m.extract_id for m in disbelieved] == ["run-900"] and len(trusted) == 3, (
        "not when its mark has become the past"
    )


def test_what_a_clock_ahead_left_unfinished_is_begun_anew(run: Run, landing: Landing) -> None:
    """Its windows were read before they were over."""
    source, now = Canned(), datetime.now(UTC)
    plan = make_plan(source.options, [], as_of=now + 2 * DAY)
    landing.begin("acme", "run-000", plan.as_json()).land("things", "first", [b'{"id":1}'])
    assert run(source, now).extract_id != "run-000"


@given(st.lists(st.sampled_from(["20260101T000000000Z-9999", "20990101T000000000Z-abcd", "a", "b"]), max_size=14))
def test_extracts_are_named_in_the_order_of_their_beginning(
    tmp_path_factory: pytest.TempPathFactory, run_ids: list[str]
) -> None:
    """Whatever the clock did: loading relies on it."""
    landing = Landing(tmp_path_factory.mktemp("order"))
    names = []
    for run_id in run_ids:
        extract = landing.begin("acme", run_id, {})
        extract.finish()
        names.append(extract.extract_id)
    assert names == sorted(set(names)) == [m.extract_id for m in landing.manifests("acme")]


# -- failures ----------------------------------------------------------------------------------------------------------


def refuse() -> None:
    raise PermanentError("Acme refused; check ACME_TOKEN.")


def crash() -> None:
    raise KeyError("apiKey=hunter22")


def full_disk() -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("trouble", "kind", "says"),
    [
        (refuse, PermanentError, "check ACME_TOKEN"),
        (crash, ContractError, "unforeseen way \\(KeyError"),
        (full_disk, ContractError, "cannot be written \\(No space left"),
    ],
)
def test_every_failure_is_written_down_and_explained(
    run: Run, landing: Landing, trouble: Callable[[], object], kind: type[MttrError], says: str
) -> None:
    source = Canned()
    source.trouble = trouble
    with pytest.raises(kind, match=says) as caught:
        run(source)
    failed = landing.manifests("acme")[-1]
    assert failed.status == "failed" and failed.attempts[-1].error == str(caught.value)
    assert failed.attempts[-1].requests == 1 and "hunter22" not in str(caught.value)
    assert landing.latest("acme") is None


def test_a_disk_that_is_full_before_anything_is_landed_is_explained(run: Run, landing: Landing) -> None:
    """Not even the plan of the extract can be written: it was a failure of an unforeseen kind."""
    with (
        file_size_limit(0),
        pytest.raises(ContractError, match=r"the landing folder .* cannot be written \(File too large"),
    ):
        run(Canned())
    run(Canned())
    assert landing.latest("acme") is not None


def test_a_failed_pull_is_completed_and_then_brought_up_to_date(run: Run, landing: Landing) -> None:
    source = Canned()
    source.trouble = refuse
    with pytest.raises(PermanentError):
        run(source, NOW)
    source.trouble = lambda: None
    run(source, NOW + 3 * DAY)
    first, second = landing.manifests("acme")
    assert [attempt.status for attempt in first.attempts] == ["failed", "complete"]
    assert first.high_water == (NOW - LAG).isoformat() and second.high_water == (NOW + 3 * DAY - LAG).isoformat()
    assert second.plan["since"] == first.high_water


def test_the_mark_moves_only_after_everything_is_landed(run: Run) -> None:
    source = Canned()
    run(source, NOW)
    source.trouble = refuse
    with pytest.raises(PermanentError):
        run(source, NOW + DAY)
    source.trouble = lambda: None
    run(source, NOW + DAY)
    assert source.plans[-1].since == NOW - LAG


def test_an_interrupt_is_not_swallowed(run: Run, landing: Landing) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    source = Canned()
    source.trouble = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(source)
    assert landing.manifests("acme") == []
    source.trouble = lambda: None
    manifest = run(source)
    assert manifest.records == 2
    assert [(attempt.status, attempt.error) for attempt in manifest.attempts] == [
        ("interrupted", "Ended by an interrupt; the next run resumes this pull."),
        ("complete", None),
    ]


def test_threads_share_memory_where_the_library_can() -> None:
    """glibc answers 1 when it takes the setting; a wrong number of the parameter would change nothing in silence."""
    assert share_memory() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.parametrize(("name", "says"), [("jira", "no credentials"), ("acme", "no source 'acme'")])
def test_a_source_that_is_not_there(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_source(name, settings_for(tmp_path))


def test_a_vendor_that_is_waited_for_is_asked_by_all_connections(landing: Landing) -> None:
    """A pull begins with few threads. Here each task waits until as many others are under way as connections are allowed."""
    together = threading.Barrier(8)

    def work() -> Iterable[Task]:
        together.wait(60)
        return []

    client = HttpClient("http://127.0.0.1:9", "Acme", SourceOptions(connections=8))
    Runner(landing.begin("acme", "run-1", {}), client, 8, Silent()).run([Task("things", work) for _ in range(16)])
    client.close()


def test_a_pull_leaves_the_search_for_garbage_as_it_was(landing: Landing, tmp_path: Path) -> None:
    """Objects that stayed out of it for good would never be freed, in a process that pulls every night."""
    source, seen = Canned(), []  # type: ignore[var-annotated]
    source.trouble = lambda: seen.append(gc.get_freeze_count())
    pull(source, settings_for(tmp_path), landing, "run-1", as_of=NOW)
    assert seen[0] > 0
    assert gc.get_freeze_count() == 0
