"""What `mttr import` and `mttr compact` do and say. What does not belong here: what a file may hold (`intake`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mttr_pipeline.cli.terminal import Bars
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError, ContractError
from mttr_pipeline.hidden import one_line


def land(settings: Settings, files: Sequence[str], preset: str | None, wait_seconds: float) -> str:
    """Land files and say what came of it. Raises ConfigError for a file that cannot come in, and for an unknown preset."""
    from mttr_pipeline.defs.resources import held, prepared
    from mttr_pipeline.intake.archives import import_archive, is_archive
    from mttr_pipeline.intake.importer import import_files
    from mttr_pipeline.intake.presets import preset as preset_of
    from mttr_pipeline.landing.store import Landing, new_run_id

    chosen = preset_of(preset, settings) if preset is not None else None
    exports = [name for name in files if is_archive(Path(name))]
    if exports and (len(files) > 1 or preset is not None):
        raise ConfigError(f"{exports[0]} is imported by itself, without other files and without --as.")
    folder = prepared(settings.data_dir)
    with held(folder, wait_seconds), _written(folder, "No record of this import is taken."), Bars() as bars:
        landing = Landing(folder / "landing")
        if exports:
            report = import_archive(Path(exports[0]), landing, new_run_id(), settings.accounts)
        else:
            report = import_files(
                [Path(name) for name in files],
                landing,
                new_run_id(),
                accounts=settings.accounts,
                progress=bars,
                preset=chosen,
                zone=settings.account("custom").options.time_zone,
            )
    shown = "\n".join(map(one_line, str(report).splitlines()))  # it names files as they are called
    return (
        f"{shown}\nPublish them with `mttr rebuild`, or by the next `mttr run`. Take them back with `mttr import --undo "
        f"{report.extract_id}`."
    )


def take_back(settings: Settings, extract: str, wait_seconds: float) -> str:
    """Take an import back and say so. Raises ConfigError for an id that is none of a complete import."""
    from mttr_pipeline.defs.resources import held, prepared
    from mttr_pipeline.intake.undo import give_up, undo
    from mttr_pipeline.landing.store import Landing

    folder = prepared(settings.data_dir)
    with held(folder, wait_seconds), _written(folder, "The import may still count."):
        landing = Landing(folder / "landing")
        lost = give_up(landing, extract)
        if lost is not None:
            return f"Gave up the import {extract}, whose files are lost, with {lost:,} line{'s' * (lost != 1)}."
        undone = undo(landing, extract)
    lines = sum(manifest.records for manifest in undone)
    return (
        f"Took back {lines:,} line{'s' * (lines != 1)} of the import {extract}; the files stay in the landing zone, marked as "
        "undone.\n`mttr rebuild` or the next `mttr run` publishes without them."
    )


def compact_landing(settings: Settings, older_than_days: int, wait_seconds: float) -> str:
    """Remove what is older than `[landing] keep_days`, archive past months of the landing zone, and say so.

    Raises ConfigError without a landing zone, ContractError for damaged files.
    """
    from mttr_pipeline.defs.resources import held
    from mttr_pipeline.landing.compaction import compact
    from mttr_pipeline.landing.retention import Removed, remove_old
    from mttr_pipeline.landing.store import Landing

    landing = Landing(settings.data_dir / "landing")
    if not landing.root.is_dir():
        raise ConfigError(f"{settings.data_dir} has no landing zone to compact; `mttr run` or `mttr import` fills one.")
    keep_days, now = settings.file.landing.keep_days, datetime.now(UTC)
    removed = Removed()
    with held(settings.data_dir, wait_seconds), _written(settings.data_dir, "No record was lost."):
        if keep_days is not None:
            removed = remove_old(landing, now, keep_days)
        done = compact(landing, now, older_than_days)
    said = ""
    if removed.extracts:
        numbers = ", ".join(f"{records:,} of {source}" for source, records in removed.records.items())
        said = (
            f"Removed {removed.extracts:,} extracts that are older than {keep_days:g} days ([landing] keep_days), with records: "
            f"{numbers}. The next `mttr run` or `mttr rebuild` leaves out those that did not change since.\n"
        )
    if not done.extracts:
        return said + f"Nothing to merge: no extract is of a month that ended more than {older_than_days} days ago."
    return said + (
        f"Merged {done.files:,} files of {done.extracts:,} extracts into {done.archives:,} archives in {landing.root}; every "
        "record is as it was."
    )


@contextmanager
def _written(data_dir: Path, after: str) -> Iterator[None]:
    """Raises ContractError for a landing zone that cannot be written; `after` says what that means."""
    try:
        yield
    except OSError as error:
        raise ContractError(
            f"The landing zone {data_dir / 'landing'} cannot be written ({error.strerror or error}); free the disk or mend its "
            f"permissions and start again. {after}"
        ) from error
