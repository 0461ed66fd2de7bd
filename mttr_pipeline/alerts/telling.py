"""Keeping what a night brought, and telling it: see the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from mttr_pipeline import told
from mttr_pipeline.alerts.conditions import RUN
from mttr_pipeline.alerts.messages import TEST, News, of_digest, of_news, shown
from mttr_pipeline.alerts.places import Place, sent
from mttr_pipeline.config.sections import WEEKDAYS
from mttr_pipeline.errors import ContractError
from mttr_pipeline.told import Episode, Told

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Answer:
    """What came of a place: how many messages it got, and the sentence of what went wrong, if anything did."""

    place: Place
    messages: int
    wrong: str | None = None


@dataclass(frozen=True)
class Failure:
    """What failed, for people: the run, or a check, whose name and table are the scope then."""

    sentence: str
    condition: str = "run_failed"
    scope: str = RUN

    def episode(self, places: Sequence[Place], now: datetime) -> Episode:
        """It begins now."""
        return Episode(self.condition, self.scope, shown(self.sentence), now, owed=[place.name for place in places])


@dataclass(frozen=True)
class Digest:
    """The head of the page, and the day on which it is told. `text` is asked for when it is due; its paragraphs are apart by an
    empty line."""

    weekday: str
    time_zone: str
    text: Callable[[], str]

    def due_on(self, now: datetime) -> date:
        """The newest such weekday, today included."""
        today = now.astimezone(ZoneInfo(self.time_zone)).date()
        return today - timedelta(days=(today.weekday() - WEEKDAYS.index(self.weekday)) % 7)


def note(con: duckdb.DuckDBPyConnection, data_dir: Path, places: Sequence[Place], as_of: datetime) -> None:
    """Keep what `mart.alerts` of a run says. Nothing for a run whose clock is behind that of a night that is noted.

    Raises ContractError when it cannot be kept.
    """
    rows = con.execute(
        "SELECT condition, scope, sentence, began_at, quiet_at, ended_at FROM mart.alerts ORDER BY began_at"
    ).fetchall()
    with told.changed(data_dir) as state:
        if state.noted_at is not None and as_of < state.noted_at:
            return
        state.noted_at = as_of
        known = {episode.key: episode for episode in state.episodes}
        for condition, scope, sentence, *instants in rows:
            began, quiet, ended = (at and at.astimezone(UTC) for at in instants)
            episode = known.get((condition, scope, began))
            if episode is not None:
                episode.quiet_at, episode.ended_at = quiet, ended
            elif ended is None:
                state.episodes.append(
                    Episode(condition, scope, sentence, began, quiet, owed=[place.name for place in places])
                )


def note_failure(data_dir: Path, failures: Sequence[Failure], places: Sequence[Place], now: datetime) -> None:
    """Keep what failed, with the reasons. Raises ContractError when it cannot be kept."""
    with told.changed(data_dir) as state:
        in_force = {episode.key[:2]: episode for episode in state.episodes if episode.ended_at is None}
        for failure in failures:
            known = in_force.get((failure.condition, failure.scope))
            if known is None:
                state.episodes.append(failure.episode(places, now))
            else:
                known.quiet_at = None


def tell(data_dir: Path, places: Sequence[Place], now: datetime, digest: Digest | None = None) -> list[Answer]:
    """Send to each place what it was not told yet, and keep at once that it was. Raises ContractError when that cannot be kept."""
    if not places:
        return []
    with told.changed(data_dir) as state:
        return [_told(place, state, data_dir, now, digest) for place in places]


def _told(place: Place, state: Told, data_dir: Path, now: datetime, digest: Digest | None) -> Answer:
    messages = 0
    if news := list(_news(state, place.name)):
        wrong = sent(place, of_news(news))
        if wrong:
            return Answer(place, messages, wrong)
        messages += 1
        for one in news:
            (one.episode.over if one.is_over else one.episode.began)[place.name] = now
        told.save(data_dir, state)
    if digest is not None and _is_due(state, place.name, digest, now):
        wrong = sent(place, of_digest(digest.text()))
        if wrong:
            return Answer(place, messages, wrong)
        messages += 1
        state.digests[place.name] = digest.due_on(now)
        told.save(data_dir, state)
    return Answer(place, messages)


def _news(state: Told, place: str) -> Iterator[News]:
    """What a place was not told: also of what is over by now, where it was there when that began."""
    for episode in state.episodes:
        was_there = place in episode.owed
        if place not in episode.began and (episode.ended_at is None or was_there):
            yield News(episode, is_over=False)
        if episode.ended_at is not None and place not in episode.over and (was_there or place in episode.began):
            yield News(episode, is_over=True)


def _is_due(state: Told, place: str, digest: Digest, now: datetime) -> bool:
    """Whether the newest weekday was not told yet. A place that is new waits for its first one."""
    due = digest.due_on(now)
    if place not in state.digests:
        is_today = due == now.astimezone(ZoneInfo(digest.time_zone)).date()
        state.digests[place] = due - _WEEK if is_today else due
    return state.digests[place] < due


def tell_failure(data_dir: Path, failures: Sequence[Failure], places: Sequence[Place], now: datetime) -> list[Answer]:
    """Tell what failed, which is at least one thing. Where the data directory cannot be written, which may be why, every place is
    told every time."""
    try:
        note_failure(data_dir, failures, places, now)
        return tell(data_dir, places, now)
    except ContractError:
        message = of_news([News(failure.episode(places, now), is_over=False) for failure in failures])
        return [_answered(place, sent(place, message)) for place in places]


def test(places: Sequence[Place]) -> Iterator[Answer]:
    """One message to every place, as soon as each has answered. Nothing is kept."""
    for place in places:
        yield _answered(place, sent(place, TEST))


def _answered(place: Place, wrong: str | None) -> Answer:
    return Answer(place, int(wrong is None), wrong)
