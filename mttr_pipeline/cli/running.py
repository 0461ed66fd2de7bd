"""What `mttr run`, `mttr rebuild` and `mttr demo` share: what keeps a run from starting, running a job, showing what came of it.

What does not belong here: options (`main`), what a job does (`defs`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mttr_pipeline.cli.exits import DONE, FAILED, PARTLY, Globals, print_error
from mttr_pipeline.cli.terminal import Bars, print_summary, wide_console
from mttr_pipeline.config.clock import parse_clock
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.demonstration import refuse_demo_folder
from mttr_pipeline.sources.registry import registry

PULLED = {name: source for name, source in registry().sources.items() if source.pulled}
CREDENTIALS = "; ".join(f"{source.title}: {source.credentials_of(name)}" for name, source in PULLED.items())


def ready(
    given: Globals, sources: tuple[str, ...], since: str | None, until: str | None, as_of: str | None
) -> Settings:
    """The settings of a run. Raises ConfigError for whatever keeps it from starting."""
    settings = given.settings()
    refuse_demo_folder(settings.data_dir)
    for name, text in (("--since", since), ("--until", until), ("--as-of", as_of)):
        if text is not None:
            parse_clock(text, name)
    for name in sources:
        pulled = [account.name for account in settings.accounts if account.source.pulled]
        if name not in pulled:
            left_out = registry().problems.get(name, f"there is no source {name!r}; use {', '.join(pulled)}.")
            raise ConfigError(f"--source: {left_out}")
        if not settings.account(name).enabled:
            raise ConfigError(f"--source {name}: its credentials are not set; see `mttr doctor`.")
    if not settings.enabled and not _given_something(settings):
        raise ConfigError(
            f"No source is configured: set its credentials ({CREDENTIALS}), "
            f"put files into {settings.data_dir / 'inbox'}, `mttr import` records, or try `mttr demo`."
            + "".join(f" {sentence}" for sentence in registry().problems.values())
        )
    return settings


@contextmanager
def told_if_wrong(given: Globals, as_of: str | None) -> Iterator[None]:
    """A run that cannot start is a failed night, too: it is told, unless a person at a terminal reads the sentence anyway."""
    try:
        yield
    except ConfigError as error:
        if not sys.stderr.isatty() and _has_alert_places():
            from mttr_pipeline.defs.telling import run_failed

            for wrong in run_failed(given.data_dir, [str(error)], as_of):
                if wrong != str(error):  # the address of a place is what is wrong
                    print_error(wrong, False)
        raise


def _has_alert_places() -> bool:
    """Whether it is worth to load what tells, which takes a second."""
    return any(name.startswith("ALERT_") for name in os.environ)


def _given_something(settings: Settings) -> bool:
    """Whether there is something to publish without any source: files in the inbox, or what was taken before."""
    from mttr_pipeline.intake.inbox import FOLDER, waiting
    from mttr_pipeline.landing.store import NOT_PULLED

    inbox, landing = settings.data_dir / FOLDER, settings.data_dir / "landing"
    return bool(waiting(inbox, settings.accounts)) or any((landing / name).is_dir() for name in NOT_PULLED)


def execute(given: Globals, settings: Settings, job: str, options: dict[str, Any]) -> int:
    """Run a Dagster job in this process and show what came of it."""
    from mttr_pipeline.defs.execute import execute as run_job

    with Bars() as bars:
        outcome = run_job(
            job, {**options, "data_dir": str(settings.data_dir), "config_file": given.config}, bars, debug=given.debug
        )
    for sentence in outcome.errors:
        print_error(sentence, False)
    if outcome.generation is None:
        return outcome.exit_code or FAILED
    print_summary(outcome.generation, wide_console())
    copied = f"\nCopied to {outcome.copied_to}; latest.json there names the generation" if outcome.copied_to else ""
    click.echo(
        f"Published in {settings.data_dir / 'published' / 'latest'} (generation {outcome.generation.name}){copied}"
    )
    return PARTLY if outcome.failed_sources or outcome.exit_code else DONE
