"""Extraction: pulls the vendors' records over HTTP into the landing zone.

`build_source` makes a source from the settings, `pull` runs it once. What does not belong here: Dagster, DuckDB, the
meaning of a record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from mttr_pipeline import interrupts
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ContractError, MttrError, first_line, is_of_the_disk
from mttr_pipeline.landing import completed
from mttr_pipeline.landing.manifest import MARKS_AHEAD, Manifest, disbelieved
from mttr_pipeline.landing.store import Extract, Landing
from mttr_pipeline.progress import Progress, Silent
from mttr_pipeline.sources.kit.audit import Audit, AuditableSource, LoadedRecords, covered_windows
from mttr_pipeline.sources.kit.deadline import Deadline
from mttr_pipeline.sources.kit.declare import connection
from mttr_pipeline.sources.kit.explain import safe_to_show
from mttr_pipeline.sources.kit.memory import share_memory, undisturbed
from mttr_pipeline.sources.kit.plan import Plan, believed, make_plan, next_high_water
from mttr_pipeline.sources.kit.source import LimitedSource, Source

__all__ = ["LoadedRecords", "Plan", "Progress", "Silent", "Source", "build_source", "foreseen", "pull"]


def build_source(name: str, settings: Settings) -> Source:
    """What pulls the account `name`. Raises ConfigError when its credentials are not set or there is no such account."""
    source: Source = connection(settings.account(name))
    return source


@contextlib.contextmanager
def foreseen(name: str) -> Iterator[None]:
    """Raises ContractError, with a sentence that names the source, for whatever is raised inside and is no MttrError."""
    try:
        yield
    except MttrError:
        raise
    except Exception as error:
        raise ContractError(
            safe_to_show(
                f"{name}: the source failed in an unforeseen way ({type(error).__name__}: {first_line(error)}). "
                "Start with --debug to see where."
            )
        ) from error


@undisturbed()
def pull(
    source: Source,
    settings: Settings,
    landing: Landing,
    run_id: str,
    *,
    as_of: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    full_refresh: bool = False,
    progress: Progress | None = None,
    loaded: LoadedRecords | None = None,
    deadline: Deadline | None = None,
) -> Manifest:
    """Pull one source once; returns the manifest of its newest extract.

    The first pull reaches back to `since`, else the configured date, else 730 days before `as_of`; later ones start at
    the last high-water mark. An extract that an earlier run left unfinished is completed first, fetching only the
    windows that are missing; when its end is older than tonight's, a second extract brings the source up to date.

    With `loaded`, the records that we hold so far, an incremental pull also looks for records that the vendor has deleted.

    A pull that is not ready at `deadline`, that of the run, or after the source's `max_hours` fails with OutOfTime, and the next
    one completes it.

    A failure is written into the manifest and raised: MttrError, whatever the cause was. An interrupt leaves the
    extract unfinished, to be taken up by the next pull.
    """
    share_memory()
    progress = progress or Silent()
    progress.start(source.name)
    own = Deadline.in_hours(source.options.max_hours, f"max_hours in [sources.{source.name}]", "a pull")
    first = own if deadline is None or own.seconds_left() < deadline.seconds_left() else deadline
    try:
        if first.seconds_left() <= 0:
            raise first.passed(source.title, "about to begin")
        if isinstance(source, LimitedSource):
            source.limit(first)
        complete, ahead = _complete(landing, source)
        removed = [line.since for line in completed.removed(landing.root, source.name) if line.since]
        removed_since = min(map(datetime.fromisoformat, removed), default=None)
        plan = make_plan(
            source.options,
            complete,
            as_of=as_of,
            since=since,
            until=until,
            full_refresh=full_refresh,
            scope=source.scope,
            removed_since=removed_since,
        )
        extract = landing.begin(source.name, run_id, plan.as_json())
        begun = Plan.from_json(extract.plan)
        up_to_date = begun.until >= plan.until
        _note_marks_ahead(extract, ahead)
        manifest = _attempt(source, begun, extract, complete, progress, loaded if up_to_date else None)
        if not up_to_date:
            complete, _ = _complete(landing, source)
            plan = make_plan(
                source.options, complete, as_of=as_of, until=until, scope=source.scope, removed_since=removed_since
            )
            extract = landing.begin(source.name, run_id, plan.as_json())
            manifest = _attempt(source, plan, extract, complete, progress, loaded)
        return manifest
    except OSError as error:  # as an extract is begun
        raise ContractError(_not_written(source, landing.root, error)) from error
    finally:
        progress.finish(source.name)


def _complete(landing: Landing, source: Source) -> tuple[list[Manifest], list[Manifest]]:
    """The complete extracts of a source that are believed, and those that no pull has found not to be before."""
    complete = [m for m in landing.manifests(source.name) if m.status == "complete"]
    trusted, ahead = believed(complete)
    known = disbelieved(complete)
    return trusted, [manifest for manifest in ahead if manifest.extract_id not in known]


def _note_marks_ahead(extract: Extract, ahead: list[Manifest]) -> None:
    """Write down which marks this pull, as the first one, does not believe: it reads again what they skipped."""
    if ahead:
        extract.facts[MARKS_AHEAD] = sorted(manifest.extract_id for manifest in ahead)
        extract.facts.setdefault("counts", {})["pulls_by_a_clock_ahead"] = len(ahead)


def _attempt(
    source: Source,
    plan: Plan,
    extract: Extract,
    complete: list[Manifest],
    progress: Progress,
    loaded: LoadedRecords | None,
) -> Manifest:
    """Run one extract to its end, or write down why it failed."""
    before = source.requests
    probed = next((manifest.facts["site"] for manifest in reversed(complete) if "site" in manifest.facts), None)
    if (
        probed is not None and not plan.full_refresh
    ):  # what was probed once is kept; an import in between has probed nothing
        extract.facts.setdefault("site", probed)
    try:
        source.extract(plan, extract, progress)
        if loaded is not None:
            _audit(source, plan, extract, complete, progress, loaded)
        extract.requests = source.requests - before
        return extract.finish(next_high_water(plan, source.options))
    except MttrError as error:
        extract.requests = source.requests - before
        if interrupts.heard():  # what broke off, broke off for the signal
            _try_to_note_the_end(extract)
        else:
            extract.fail(str(error))
        raise
    except Exception as error:
        extract.requests = source.requests - before
        if isinstance(error, OSError) and is_of_the_disk(error):
            message = _not_written(source, extract.folder, error)
        else:
            message = safe_to_show(
                f"{source.name}: the extraction failed in an unforeseen way ({type(error).__name__}: {error}); "
                "what was landed is kept and the next run takes it up. Start with --debug to see where."
            )
        _try_to_fail(extract, message)
        raise ContractError(message) from error
    except BaseException:
        _try_to_note_the_end(extract)
        raise


def _audit(
    source: Source, plan: Plan, extract: Extract, complete: list[Manifest], progress: Progress, loaded: LoadedRecords
) -> None:
    """Look for deleted records among those that the earlier pulls must have seen."""
    budget = source.options.audit_requests
    if not plan.incremental or plan.high_water is None or budget == 0 or not isinstance(source, AuditableSource):
        return
    until = min(plan.until, plan.high_water + timedelta(minutes=source.options.lag_minutes))
    covered = covered_windows((m.plan for m in complete), plan.scope, until)
    left = complete[-1].facts.get("audit", {}).get("postponed", {}) if complete else {}
    source.audit(Audit(loaded, covered, budget, left), plan, extract, progress)


def _not_written(source: Source, folder: Path, error: OSError) -> str:
    return (
        f"{source.name}: the landing folder {folder} cannot be written ({error.strerror or error}); "
        "free space or correct its permissions, then start again."
    )


def _try_to_fail(extract: Extract, message: str) -> None:
    with contextlib.suppress(OSError):  # a full disk must not hide the reason
        extract.fail(message)


def _try_to_note_the_end(extract: Extract) -> None:
    with contextlib.suppress(OSError):
        extract.interrupt(interrupts.interrupted_by())
