"""Time windows: they cover exactly, never overlap, and splitting ends at one second with an error, never with a cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.kit.windows import SECOND, Window, epoch_ms, gaps, iso, split, split_for, steps

START = datetime(2025, 1, 1, tzinfo=UTC)


@st.composite
def windows(draw: st.DrawFn, least: int = 1) -> Window:
    since = START + draw(st.integers(0, 10**8)) * SECOND
    return Window(since, since + draw(st.integers(least, 10**8)) * SECOND)


def tiles(pieces: list[Window], whole: Window) -> bool:
    """Whether the pieces lie end to end over exactly the whole."""
    ends = [whole.since, *(piece.until for piece in pieces)]
    return [piece.since for piece in pieces] == ends[:-1] and ends[-1] == whole.until


@given(windows(), st.integers(10**5, 10**9))
def test_steps_cover_exactly(whole: Window, seconds: int) -> None:
    pieces = list(steps(whole, seconds * SECOND))
    assert tiles(pieces, whole)
    assert all(0 < piece.seconds <= seconds for piece in pieces)


@given(windows(least=2), st.integers(0, 100))
def test_split_covers_exactly_and_makes_progress(whole: Window, parts: int) -> None:
    pieces = split(whole, parts)
    assert tiles(pieces, whole)
    assert 2 <= len(pieces) <= max(2, min(parts, 32))


@given(windows(), st.integers(1, 10**6), st.integers(1, 5000))
def test_splitting_by_density_ends(whole: Window, total: int, target: int) -> None:
    """However dense, the narrowest windows are reached in a few rounds."""
    window, rounds = whole, 0
    while window.seconds > 1:
        window = split_for(window, total, target)[0]
        rounds += 1
    assert rounds <= 30
    with pytest.raises(PermanentError, match="stops rather than leave records out"):
        split_for(window, total, target)


@given(windows(), st.data())
def test_gaps_and_done_windows_together_are_the_whole(whole: Window, data: st.DataObject) -> None:
    pieces = split(whole, data.draw(st.integers(2, 12))) if whole.seconds > 1 else [whole]
    done = [piece for piece in pieces if data.draw(st.booleans())]
    missing = gaps(whole, data.draw(st.permutations(done)))
    assert tiles(sorted([*missing, *done]), whole)


def test_gaps_of_nothing_and_of_everything() -> None:
    whole = Window(START, START + timedelta(days=3))
    assert gaps(whole, []) == [whole]
    assert gaps(whole, [whole]) == []
    assert gaps(whole, [Window(START - timedelta(days=9), START + timedelta(days=9))]) == []
    assert gaps(Window(START, START), []) == []


@given(windows())
def test_a_key_names_its_window(window: Window) -> None:
    assert Window.parse(window.key) == window


def test_instants_are_written_in_utc() -> None:
    local = datetime.fromisoformat("2026-10-01T02:00:00+02:00")
    assert iso(local) == "2026-10-01T00:00:00Z"
    assert epoch_ms(local) == 1790812800000


@pytest.mark.parametrize("since", [datetime(2026, 1, 1), START + timedelta(days=2)])  # noqa: DTZ001
def test_naive_and_backward_windows_are_refused(since: datetime) -> None:
    with pytest.raises(ValueError, match="invalid window"):
        Window(since, START)
