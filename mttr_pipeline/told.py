"""What people were told about: the conditions of every night, kept as `alerts.json` in the data directory.

An episode is one stretch of nights in which a condition holds. The tables read it (`history`), because whether a condition began,
goes on or is over depends on the nights before; `alerts` writes it. The file is replaced as a whole: after a crash, the one from
before is there.

What belongs here: the file. What does not: which conditions there are, sending anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.disk import sync

FILE = "alerts.json"
MOST = 10_000  # episodes that are over; beyond, the oldest are forgotten
_LOCK_SECONDS = 120.0  # longer than telling at every place takes


class Episode(msgspec.Struct):
    """One stretch of nights in which a condition holds. Instants are clocks of runs, UTC, but for those of `began` and `over`.

    `quiet_at` is the first night without it, for one that is not over or was over then. `owed` are the places that were
    configured when it began. `began` and `over` say which place was told, and when.
    """

    condition: str
    scope: str
    sentence: str
    began_at: datetime
    quiet_at: datetime | None = None
    ended_at: datetime | None = None
    owed: list[str] = []
    began: dict[str, datetime] = {}
    over: dict[str, datetime] = {}

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What tells it from every other episode."""
        return self.condition, self.scope, self.began_at


class Told(msgspec.Struct):
    """Everything that is kept: the clock of the newest night that was noted, the episodes, and per place the day of the newest
    digest."""

    noted_at: datetime | None = None
    episodes: list[Episode] = []
    digests: dict[str, date] = {}


def read(data_dir: Path) -> Told:
    """What was told so far; nothing where no night was noted. Raises ContractError for a file that somebody damaged."""
    path = data_dir / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Told)
    except FileNotFoundError:
        return Told()
    except (OSError, msgspec.MsgspecError) as error:
        raise ContractError(
            f"{path}, which says what people were told, cannot be read ({error}); mend it, or delete it: then every condition in "
            "force is told again."
        ) from error


@contextmanager
def changed(data_dir: Path) -> Iterator[Told]:
    """What was told, to be changed by one process at a time, and saved at the end of the block. Raises ContractError."""
    lock = FileLock(data_dir / f".{FILE}.lock", mode=0o600)
    try:
        lock.acquire(timeout=_LOCK_SECONDS)
    except (Timeout, OSError) as error:
        raise ContractError(
            f"{data_dir / FILE} cannot be locked ({error}); end the other program that tells alerts, and run again."
        ) from error
    try:
        told = read(data_dir)
        yield told
        save(data_dir, told)
    finally:
        lock.release()


def save(data_dir: Path, told: Told) -> None:
    """Replace the file. It is on disk when this returns. Raises ContractError."""
    over = [episode for episode in told.episodes if episode.ended_at is not None]
    forgotten = {episode.key for episode in sorted(over, key=lambda one: one.began_at)[: max(0, len(over) - MOST)]}
    told.episodes = [episode for episode in told.episodes if episode.key not in forgotten]
    path = data_dir / FILE
    new = path.with_name(f".{FILE}.new")
    try:
        new.touch(0o600)
        new.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
        sync(new)
        new.replace(path)
        sync(data_dir)
    except OSError as error:
        raise ContractError(
            f"{path} cannot be written ({error.strerror}), so what is told now is told again; free the disk or mend its permissions."
        ) from error


#: Columns of `history`, as DuckDB names their types.
HISTORY = (
    "condition VARCHAR, scope VARCHAR, sentence VARCHAR, began_at TIMESTAMP, quiet_at TIMESTAMP, ended_at TIMESTAMP, "
    "told_at TIMESTAMP, places VARCHAR[]"
)


def history(data_dir: Path, as_of: datetime) -> list[list[object]]:
    """The episodes as they were known before `as_of`: a run with an earlier clock, or a second one with the same, gives the same
    tables. Columns are HISTORY; instants are UTC without a zone."""

    def known(at: datetime | None) -> datetime | None:
        return at.astimezone(UTC).replace(tzinfo=None) if at is not None and at < as_of else None

    try:
        episodes = read(data_dir).episodes
    except ContractError:  # who tells says so: it must not keep anybody from their figures
        return []
    rows: list[list[object]] = []
    for episode in episodes:
        if (began := known(episode.began_at)) is not None:
            told = {place: at for place, when in episode.began.items() if (at := known(when)) is not None}
            ended = known(episode.ended_at)
            first = min(told.values(), default=None)
            quiet, text = known(episode.quiet_at), episode.sentence
            rows.append([episode.condition, episode.scope, text, began, quiet, ended, first, sorted(told)])
    return rows
