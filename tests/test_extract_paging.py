"""Paging over listings that move while they are read: complete, without duplicates, and it ends."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mttr_pipeline.sources.kit.paging import (
    MAX_PAGES,
    EndlessListing,
    Page,
    SeenRows,
    TokenLoop,
    TooManyRows,
    UnstableListing,
    read_all,
    read_by_token,
    read_whole,
    row_id,
)


def row(number: int, version: int = 0) -> bytes:
    return json.dumps({"id": f"r{number}", "version": version}).encode()


@given(st.integers(0, 300), st.integers(1, 60), st.randoms(use_true_random=False))
def test_pages_of_any_size_give_every_row_once(count: int, most: int, chance: random.Random) -> None:
    rows = [row(n) for n in range(count)]
    got: list[bytes] = []

    def page(offset: int) -> Page:
        size = chance.randint(1, most)  # a server may give fewer rows than asked for
        return Page(rows[offset : offset + size], offset + size < count, count)

    counted = read_all(page, got.extend)
    assert got == rows and counted == (count, 0, count)


@given(st.integers(1, 200), st.integers(2, 20), st.randoms(use_true_random=False))
def test_rows_that_stand_twice_on_a_page_push_nothing_out(count: int, size: int, chance: random.Random) -> None:
    rows = [row(n) for n in range(count)]
    got: list[bytes] = []

    def page(offset: int) -> Page:
        found = rows[offset : offset + size]
        if chance.random() < 0.5:
            found = [*found, *found[:1]]
        return Page(found, offset + size < count, None)

    read_all(page, got.extend)
    assert got == rows


@settings(deadline=None)
@given(st.integers(30, 200), st.integers(5, 20), st.randoms(use_true_random=False))
def test_rows_that_vanish_while_paging_are_made_up_for(count: int, size: int, chance: random.Random) -> None:
    """A row that leaves the listing moves the rest one place forward: the next page would skip one."""
    rows = [row(n) for n in range(count)]
    leaving = set(chance.sample(range(count // 2), 3))
    present = list(rows)
    got: list[bytes] = []

    def page(offset: int) -> Page:
        if offset and leaving:
            present.remove(rows[leaving.pop()])
        return Page(present[offset : offset + size], offset + size < len(present), len(present))

    counted = read_all(page, got.extend)
    assert set(present) <= set(got) and len(got) == len(set(got))
    assert counted.rows >= counted.expected


@given(st.integers(30, 200), st.integers(5, 20), st.randoms(use_true_random=False))
def test_rows_that_come_in_while_paging_are_repeats_and_not_duplicates(
    count: int, size: int, chance: random.Random
) -> None:
    rows = [row(n) for n in range(count)]
    got: list[bytes] = []
    present = list(rows)

    def page(offset: int) -> Page:
        if offset and len(present) < count + 5:
            present.insert(chance.randrange(offset), row(1000 + len(present)))
        return Page(present[offset : offset + size], offset + size < len(present), None)

    read_all(page, got.extend)
    assert set(rows) <= set(got) and len(got) == len(set(got))


def test_a_total_that_never_adds_up_is_reported_or_asks_for_smaller_windows() -> None:
    calls = []

    def page(offset: int) -> Page:
        calls.append(offset)
        return Page([row(offset)], offset < 1, 3)

    assert read_all(page, lambda _: None) == (2, 4, 3)
    assert len(calls) == 6  # three readings of two pages
    with pytest.raises(UnstableListing):
        read_all(page, lambda _: None, can_split=True)


def test_a_single_page_that_does_not_add_up_cannot_be_cut_further() -> None:
    assert read_all(lambda _: Page([row(1)], False, 2), lambda _: None, can_split=True) == (1, 2, 2)


def test_a_total_that_does_not_fit_stops_before_a_row_is_written() -> None:
    got: list[bytes] = []
    with pytest.raises(TooManyRows) as caught:
        read_all(lambda _: Page([row(1)], True, 11), got.extend, split_above=10)
    assert caught.value.total == 11 and got == []


def test_the_ceiling_without_a_total_is_no_silent_end() -> None:
    with pytest.raises(TooManyRows):
        read_all(lambda offset: Page([row(offset + n) for n in range(10)], True), lambda _: None, ceiling=100)


def test_more_with_an_empty_page_ends() -> None:
    assert read_all(lambda _: Page([], True), lambda _: None) == (0, 0, None)


@given(st.lists(st.integers(0, 5), max_size=12))
def test_tokens_are_followed_over_empty_pages(sizes: list[int]) -> None:
    pages = [[row(100 * place + n) for n in range(size)] for place, size in enumerate(sizes)] or [[]]
    got: list[bytes] = []

    def page(token: str | None) -> tuple[list[bytes], str | None]:
        place = int(token or 0)
        return pages[place], str(place + 1) if place + 1 < len(pages) else None

    read_by_token(page, got.extend)
    assert got == [one for rows in pages for one in rows]


def test_a_token_that_comes_back_is_an_error() -> None:
    with pytest.raises(TokenLoop, match="repeats"):
        read_by_token(lambda token: ([row(1)], "again"), lambda _: None)


def test_empty_pages_do_not_go_on_for_ever() -> None:
    numbers = iter(range(1000))
    with pytest.raises(TokenLoop, match="empty pages"):
        read_by_token(lambda token: ([], str(next(numbers))), lambda _: None)


def test_a_page_that_comes_again_and_again_ends_the_listing() -> None:
    """A vendor that ignores the offset or makes up tokens sends page one for ever, perhaps with a changing clock in its rows."""
    asked: list[Any] = []

    def same(place: Any) -> list[bytes]:
        asked.append(place)
        return [row(n, version=len(asked)) for n in range(100)]

    with pytest.raises(EndlessListing, match="bring the records of earlier pages again"):
        read_all(lambda offset: Page(same(offset), True, 1_000_000), lambda _: None)
    with pytest.raises(EndlessListing, match="bring the records of earlier pages again"):
        read_by_token(lambda token: (same(token), f"token {len(asked)}"), lambda _: None)
    assert len(asked) == 8


def test_a_listing_ends_far_above_the_vendors_own_count() -> None:
    for total, came in ((120, "700"), (1_000, "2,100")):
        with pytest.raises(EndlessListing, match=f"{came} records where the vendor counts"):
            read_all(
                lambda offset, total=total: Page([row(offset + n) for n in range(100)], True, total), lambda _: None
            )


def test_a_storm_after_the_vendors_count_is_read() -> None:
    """The count was ten when it was asked for; then the alerts came."""
    rows = [row(n) for n in range(450)]
    assert read_all(lambda at: Page(rows[at : at + 100], at + 100 < 450, 10), lambda _: None).rows == 450


def test_a_listing_of_new_records_for_ever_ends_at_a_number_of_pages() -> None:
    pages = iter(range(MAX_PAGES + 1))
    with pytest.raises(EndlessListing, match="10,000 pages"):
        read_all(lambda offset: Page([row(offset)], True), lambda _: None)
    with pytest.raises(EndlessListing, match="10,000 pages"):
        read_by_token(lambda token: ([row(next(pages))], f"after {token}"), lambda _: None)


def test_a_listing_that_lacks_rows_proves_nothing() -> None:
    """What is read to find deleted records must be whole."""
    assert read_whole(lambda _: Page([row(1)], False, 1)) == [row(1)]
    with pytest.raises(UnstableListing):
        read_whole(lambda _: Page([row(1)], False, 2))


def test_a_newer_state_of_a_record_is_no_repeat() -> None:
    seen = SeenRows()
    assert [seen.is_new(r) for r in (row(1), row(1), row(1, 2), row(2))] == [True, False, True, True]
    assert (seen.distinct, seen.dropped) == (2, 1)


@pytest.mark.parametrize("raw", [b'{"id":null}', b'{"id":{}}', b"{}", b'{"unreadable":1}', b"{", b'{"id":1.5}'])
def test_rows_without_an_id_are_told_apart_by_their_bytes(raw: bytes) -> None:
    seen = SeenRows()
    assert row_id(raw) is None
    assert seen.is_new(raw) and not seen.is_new(raw) and seen.is_new(raw + b" ")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"id":"Q1","title":"a"}', "Q1"),
        (b'{ "id" : "Q1" }', "Q1"),
        (b'{"key":"x","id":"Q1"}', "Q1"),
        (b'{"id":7}', "7"),
        (rb'{"id":"a\"b"}', 'a"b'),
        ('{"id":"ä"}'.encode(), "ä"),
        (b'{"incident":{"id":"other"},"id":"Q1"}', "Q1"),
    ],
)
def test_the_id_of_a_row_is_found_wherever_and_however_it_is_written(raw: bytes, name: str) -> None:
    assert row_id(raw) == name


def test_a_record_is_the_same_wherever_its_id_stands() -> None:
    """An id that comes first is read without decoding: it must be the same as one that is decoded."""
    seen = SeenRows()
    rows = [
        b'{"id":"A","x":1}',
        b'{"x":1,"id":"A"}',
        b'{"x":1,"id":"\\u0041"}',
        b'{"id":7}',
        b'{"id":"7"}',
        b'{"x":2}',
        b'{"x":2}',
    ]
    assert [len(seen.new_of([row]).rows) for row in rows] == [1, 1, 1, 1, 1, 1, 0]
    assert seen.distinct == 3 and seen.dropped == 1
    assert len(SeenRows().new_of(rows).keys) == 3
