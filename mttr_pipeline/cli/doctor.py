"""`mttr doctor`: looks at everything a run needs and says, one line each, `ok` or what to do."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version

from mttr_pipeline.alerts import places_of
from mttr_pipeline.cli.usage import listed
from mttr_pipeline.config.alert_places import SET_ONE
from mttr_pipeline.config.environment import OF_FILE
from mttr_pipeline.config.settings import Account, Settings
from mttr_pipeline.defs.resources import prepared
from mttr_pipeline.errors import ConfigError, MttrError
from mttr_pipeline.intake import inbox
from mttr_pipeline.intake.received import webhook_of
from mttr_pipeline.publish import Place, changed_files, latest
from mttr_pipeline.sources.kit.declare import connection
from mttr_pipeline.sources.kit.source import RoutedSource
from mttr_pipeline.sources.pulling import foreseen
from mttr_pipeline.warehouse.catalog import catalog, unusable_sources

LITTLE_DISK = 1_000_000_000  # bytes
SOURCE_SECONDS = 10.0  # for the answer of one source, whatever a run allows


@dataclass(frozen=True)
class Finding:
    """One line of the list: what was looked at, whether it is well, and the sentence for people."""

    name: str
    ok: bool
    text: str
    is_configuration: bool = False

    @property
    def exit_code(self) -> int:
        """What the doctor ends with if this is the worst: 2 for a wrong configuration, as every other command."""
        return 0 if self.ok else 2 if self.is_configuration else 1


def examine(load: Callable[[], Settings]) -> Iterator[Finding]:
    """Every finding as soon as it is there, the sources last. `load` reads the settings; a failure there ends the list."""
    yield Finding(
        "versions",
        True,
        ", ".join(f"{name} {version(name)}" for name in ("mttr-pipeline", "dagster", "duckdb", "polars")),
    )
    try:
        settings = load()
    except MttrError as error:
        yield Finding("configuration", False, str(error), is_configuration=True)
        return
    yield Finding("configuration", True, str(settings.config_file or "defaults, no mttr.toml"))
    yield _disk(settings)
    yield _inbox(settings)
    yield from _published(settings)
    yield from _second_place(settings)
    yield _alerts(settings)
    for name, sentence in unusable_sources(settings.accounts).items():
        yield Finding(name, False, sentence)
    left_out = catalog(settings.accounts).problems
    for account in settings.accounts:
        if account.source.pulled and account.name not in left_out:
            yield _source(account)


def _disk(settings: Settings) -> Finding:
    try:
        folder = prepared(settings.data_dir)
    except MttrError as error:
        return Finding("data directory", False, str(error))
    free = shutil.disk_usage(folder).free
    text = f"{folder}, {free / 1e9:.1f} GB free"
    return Finding(
        "data directory", free > LITTLE_DISK, text if free > LITTLE_DISK else f"{text}: make room before the next run"
    )


def _published(settings: Settings) -> Iterator[Finding]:
    """Whether readers see what was published. Nothing where nothing was."""
    generation = latest(settings.data_dir / "published")
    if generation is None:
        return
    wrong = list(changed_files(generation))
    if not wrong:
        yield Finding("published", True, f"{generation.name}, every file as its manifest says")
        return
    shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3:,} more" if len(wrong) > 3 else "")
    yield Finding(
        "published",
        False,
        f"{generation}: {shown}, after it was published; run `mttr rebuild` for a new one, and open the files read-only.",
    )


def _second_place(settings: Settings) -> Iterator[Finding]:
    """Whether `[publish] to` can be written. Nothing where there is none."""
    name = "publish to"
    try:
        place = Place.of(settings.file.publish, settings.data_dir)
        if place is not None:
            place.probe()
            yield Finding(name, True, f"{place.address} can be written")
    except MttrError as error:
        yield Finding(name, False, str(error), is_configuration=isinstance(error, ConfigError))


def _alerts(settings: Settings) -> Finding:
    """Where alerts go. Nothing is sent."""
    titles = [place.title for place in places_of(settings.alert_places)]
    if not titles:
        return Finding("alerts", True, f"off; {SET_ONE} to be told")
    return Finding("alerts", True, f"told to {listed(titles)}; `mttr alerts --test` sends a message")


def _inbox(settings: Settings) -> Finding:
    folder = settings.data_dir / inbox.FOLDER
    try:
        n = len(inbox.waiting(folder, settings.accounts))
    except MttrError as error:
        return Finding("inbox", False, str(error))
    signing = [
        (account, webhook) for account in settings.accounts if (webhook := webhook_of(account)) and webhook.signature
    ]
    checked = [account.title for account, _ in signing if account.signing_key]
    off = [account.variable(webhook.secret) for account, webhook in signing if not account.signing_key]
    said = [f"{n:,} file{'s' * (n != 1)} waiting in {folder}"]
    said += [f"signatures of {listed(checked)} are checked"] if checked else []
    said += [f"set {listed(off)} to have signatures checked"] if off else []
    return Finding("inbox", True, "; ".join(said))


def _source(account: Account) -> Finding:
    """Ask once. In a thread of its own, because nothing else ends the look-up of a host name, or a source of another package."""
    name = account.name
    if not account.enabled:
        return Finding(name, True, f"off; set {account.source.credentials_of(name)} to switch it on{_as_file(account)}")
    once = {"timeout_seconds": min(account.options.timeout_seconds, SOURCE_SECONDS), "max_wait_minutes": 0}
    found = [
        Finding(
            name,
            False,
            f"{account.title} did not answer within {SOURCE_SECONDS:g} s; check its address, its status page and the network.",
        )
    ]
    asking = threading.Thread(
        target=lambda: found.append(_asked(replace(account, options=account.options.model_copy(update=once)))),
        daemon=True,
    )
    asking.start()
    asking.join(SOURCE_SECONDS)
    return found[-1]


def _as_file(account: Account) -> str:
    """That a secret may also come from a file, and the variable that names it."""
    secrets = account.source.secrets()
    return f" (or a secret by a file: {account.variable(secrets[0] + OF_FILE)})" if secrets else ""


def _asked(account: Account) -> Finding:
    way = ""
    try:
        with foreseen(account.name), closing(connection(account)) as source:
            way = f" ({source.route})" if isinstance(source, RoutedSource) and source.route else ""
            return Finding(account.name, True, source.check().removeprefix("ok: ") + way)
    except MttrError as error:
        return Finding(account.name, False, str(error) + way)
