"""The one resource: what a run needs, opened once and closed whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout
from pydantic import Field, PrivateAttr

from mttr_pipeline import alerts, interrupts, told
from mttr_pipeline.config.clock import parse_clock
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.defs.continuing import Begun, continued, note, tag
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.jobs import NEVER_AGAIN, REBUILD
from mttr_pipeline.errors import ConfigError, ContractError, MttrError, of_another_user
from mttr_pipeline.intake.inbox import FOLDER
from mttr_pipeline.landing.demonstration import SENT, refuse_demo_folder
from mttr_pipeline.landing.leftovers import remove_leftovers
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.kit.deadline import Deadline
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.database import Warehouse, open_meanwhile

#: A run whose clock is older is a report about the past, which is nobody's alert.
NOT_LONG_AGO = timedelta(hours=12)


class RunResource(dg.ConfigurableResource):
    """Settings, landing zone and warehouse of one run.

    Fields are what `mttr run` takes as options; credentials are never among them, because run configuration is stored:
    they come from the environment of the process. The warehouse is opened while the first source is pulled, or at its first
    use, one connection per run, and closed even when an asset raises. A second run on the same data directory waits for the
    first one. `simulated` is what `mttr demo` sets: its folder takes records from nobody else. `by_command` is what `mttr` sets:
    it tells its failures itself, and whoever started it waits for its end.
    """

    data_dir: str | None = Field(default=None, description="data directory; none: MTTR_DATA_DIR, else ./data")
    config_file: str | None = Field(default=None, description="configuration file; none: MTTR_CONFIG, else ./mttr.toml")
    as_of: str | None = Field(default=None, description="clock of the run: open incidents last until then; none: now")
    since: str | None = Field(
        default=None, description="first instant to pull, without an offset UTC; none: from where the last run ended"
    )
    until: str | None = Field(default=None, description="first instant not to pull; none: the clock of the run")
    full_refresh: bool = Field(default=False, description="pull the whole history again")
    sources: list[str] = Field(default_factory=list, description="pull only these accounts; none: all")
    accounts: list[str] = Field(
        default_factory=list, description="set by the definitions: the accounts that they were made for"
    )
    start_over: bool = Field(default=False, description="forget what was loaded and read the whole landing zone again")
    simulated: bool = Field(
        default=False, description="set by `mttr demo`: everything in the data directory is invented"
    )
    run_id: str | None = Field(default=None, description="id of the run and name of its generation; none: a new one")
    wait_seconds: float = Field(
        default=600, description="seconds to wait for another run that uses the data directory, before this one fails"
    )
    by_command: bool = Field(
        default=False, description="set by `mttr`, which tells failures itself and tries nothing again"
    )

    _settings: Settings = PrivateAttr()
    _as_of: datetime = PrivateAttr()
    _run_id: str = PrivateAttr()
    _job: str = PrivateAttr(default="")
    _opening: Callable[[], Warehouse] | None = PrivateAttr(default=None)
    _deadline: Deadline = PrivateAttr()
    _failed: dict[str, str] = PrivateAttr(default_factory=dict)

    @contextmanager
    @guarded
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RunResource]:
        """Read the settings, and hold the data directory while the run lasts. Raises dagster.Failure with the sentence."""
        try:
            self._settings = load_settings(os.environ, data_dir=self.data_dir, config=self.config_file)
            if self.simulated:
                self._settings = self._settings.without_pace()
            self._refuse_other_accounts()
            self._job = context.run.job_name if context.run else ""
            if not self.simulated and self._job != REBUILD:
                refuse_demo_folder(self._settings.data_dir)
            # Whole seconds: what an operator types back into --as-of gives the same run.
            clock = parse_clock(self.as_of, "--as-of") if self.as_of else datetime.now(UTC).replace(microsecond=0)
            begun = continued(context, self._settings) or Begun(self.run_id or new_run_id(), clock)
            self._run_id, self._as_of = begun
            note(context, self._settings, begun)
            with interrupts.watched(), held(prepared(self._settings.data_dir), self.wait_seconds):
                self._deadline = Deadline.in_hours(self._settings.file.run.max_hours, "max_hours in [run]", "a run")
                try:
                    yield self
                finally:
                    self._close()
        except MttrError as error:
            tag(context, NEVER_AGAIN)
            raise explained(error) from error

    def _refuse_other_accounts(self) -> None:
        """The assets are made for the accounts that stood in the configuration when they were loaded."""
        now = {account.name for account in self._settings.accounts}
        if self.accounts and now != set(self.accounts):
            raise ConfigError(
                f"The accounts {', '.join(sorted(now ^ set(self.accounts)))} were added or taken out since Dagster loaded the code; "
                "reload the code location, and use one configuration file for both (MTTR_CONFIG)."
            )

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self._settings

    @property
    def clock(self) -> datetime:
        """as_of of the run, UTC."""
        return self._as_of

    @property
    def id(self) -> str:
        """The id of the run, which also names its generation."""
        return self._run_id

    @property
    def deadline(self) -> Deadline:
        """When the run stops to pull."""
        return self._deadline

    @property
    def failed(self) -> dict[str, str]:
        """Source -> error, of those whose pull failed in this run."""
        return self._failed

    @property
    def tells(self) -> bool:
        """Whether people are told of this run: it pulls, nothing is invented, and its clock is that of now."""
        return not self.simulated and self._job != REBUILD and datetime.now(UTC) - self._as_of < NOT_LONG_AGO

    @property
    def alert_places(self) -> list[alerts.Place]:
        """The places that are told."""
        return alerts.places_of(self._settings.alert_places)

    @property
    def landing(self) -> Landing:
        """The landing zone."""
        return Landing(self._settings.data_dir / "landing")

    @property
    def inbox(self) -> Path:
        """The folder that received bodies are taken from; of `mttr demo` its own, because the inbox is for others."""
        return self._settings.data_dir / (SENT if self.simulated else FOLDER)

    @property
    def published_root(self) -> Path:
        """The folder of all generations."""
        return self._settings.data_dir / "published"

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse, opened at the first use or meanwhile."""
        return self.open_meanwhile()()

    def open_meanwhile(self) -> Callable[[], Warehouse]:
        """Begin to open the warehouse, in another thread, and give what waits for it. Whoever uses it hears what went wrong."""
        if self._opening is None:
            path = self._settings.data_dir / "work.duckdb"
            self._opening = open_meanwhile(path, self._settings, self._as_of, self._run_id)
        return self._opening

    def _close(self) -> None:
        if self._opening is not None:
            opening, self._opening = self._opening, None
            try:
                warehouse = opening()
            except Exception:  # whoever used it was told
                return
            warehouse.close()

    def wants(self, source: str) -> bool:
        """Whether this run pulls a source: its credentials are set, and it was not left out by --source."""
        enabled = any(account.name == source for account in self._settings.enabled)
        return enabled and (not self.sources or source in self.sources)

    def instant(self, name: str) -> datetime | None:
        """`since` or `until` as an instant. Raises ConfigError."""
        text = getattr(self, name)
        return parse_clock(text, f"--{name}") if text else None


#: What only the pipeline's own user may read: raw records, with everything that vendors and senders wrote into them.
_PRIVATE_FOLDERS = ("landing", ".spill")
_PRIVATE_FILES = ("extracts.jsonl", "work.duckdb*", "work.mart.duckdb*", "pseudonym.key", told.FILE)
_PRIVATE_UMASK = 0o077


def prepared(data_dir: Path) -> Path:
    """The data directory, made if need be. Raises ConfigError when it, or what an earlier run made in it, cannot be written."""
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True, exist_ok=True)  # another process may be first
            data_dir.chmod(0o755)  # readers go through it to what is published
        probe = data_dir / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)  # of a process that tries the same folder
    except OSError as error:
        raise ConfigError(
            f"The data directory {data_dir} cannot be written ({error.strerror}); choose another with --data-dir or MTTR_DATA_DIR."
        ) from error
    for path in _private(data_dir):
        rights = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
        if not os.access(path, rights, effective_ids=os.access in os.supports_effective_ids):
            raise of_another_user(path)
    _require_readers_place(data_dir / "published")
    return data_dir


def _private(data_dir: Path) -> list[Path]:
    """What is there of the files and folders that nobody else may read."""
    named = [data_dir / name for name in (*_PRIVATE_FOLDERS, FOLDER, ".lock")]
    found = [path for path in named if path.exists()] + [p for name in _PRIVATE_FILES for p in data_dir.glob(name)]
    return found + [path for path in data_dir.glob("landing/*") if path.is_dir()]


def _require_readers_place(root: Path) -> None:
    """Raises ConfigError where a publish could not write, or could not move `latest`: better before a night of pulling."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is no folder, and a publish would make one; move it away and run again.")
    if root.exists() and not os.access(root, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise of_another_user(root)
    latest = root / "latest"
    if latest.exists() and not latest.is_symlink():
        raise ConfigError(
            f"{latest} is a {'folder' if latest.is_dir() else 'file'} and not the link to the newest generation; move it away and "
            "run again."
        )


def _tighten(data_dir: Path) -> None:
    """Of an earlier release, or copied here. The inbox stays as its senders need it."""
    for path in _private(data_dir):
        if path.name not in (FOLDER, ".lock") and path.stat().st_mode & _PRIVATE_UMASK:
            with suppress(OSError):  # of another user, who lets this one write
                path.chmod(0o700 if path.is_dir() else 0o600)


def explained(error: MttrError) -> dg.Failure:
    """The error as Dagster's, with its sentence; a retry would not mend it."""
    return dg.Failure(description=str(error), metadata={"error": type(error).__name__}, allow_retries=False)


@contextmanager
def held(data_dir: Path, wait_seconds: float) -> Iterator[None]:
    """The data directory for this process alone. Raises ContractError when another keeps it for `wait_seconds`.

    Meanwhile nobody else can read what this process writes, whatever the umask was; `publish` opens what is for readers.
    Whoever holds it may take it again: a command that prepares the folder keeps it until its run has ended.
    """
    lock = FileLock((data_dir / ".lock").resolve(), is_singleton=True)
    try:
        if not _taken_at_once(lock):
            print(f"Another run is using {data_dir}; waiting for it to end.", file=sys.stderr, flush=True)
            lock.acquire(timeout=wait_seconds)
    except Timeout as error:
        raise ContractError(
            f"Another run has been using {data_dir} for {wait_seconds:.0f} seconds; wait for it to end, or stop it, and start again."
        ) from error
    except PermissionError as error:
        raise of_another_user(data_dir / ".lock") from error
    except OSError as error:
        raise ConfigError(
            f"{data_dir / '.lock'} cannot be locked ({error.strerror or error}); free the disk, or choose another place with "
            "--data-dir or MTTR_DATA_DIR."
        ) from error
    umask = os.umask(_PRIVATE_UMASK)
    try:
        _tighten(data_dir)
        if lock.lock_counter == 1:  # not inside a command that is at work
            remove_leftovers(data_dir)
        yield
    finally:
        os.umask(umask)
        lock.release()


def _taken_at_once(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
