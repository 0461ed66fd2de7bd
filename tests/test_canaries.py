"""Canaries: secrets, names and addresses are planted on every road, and must not be found where others read.

`promises/canaries.py` has the roads and the search, and prints them for anyone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support_e2e import REPOSITORY, mttr

sys.path.insert(0, str(REPOSITORY / "promises"))

import canaries


def test_the_search_finds_what_is_there() -> None:
    """Else the tests below could not fail."""
    for kind, spell in canaries.SPELLINGS.items():
        assert any(leak.startswith(kind) for leak in canaries.leaks(iter([("here", f"x{spell(canaries.SECRET)}x")]))), (
            kind
        )
    assert len(list(canaries.leaks(iter([("here", " ".join(canaries.PEOPLE.values()))])))) == 2


def test_no_answer_of_a_vendor_shows_a_secret_or_an_address(tmp_path: Path) -> None:
    """Every road of a vendor's answer, by one request of the doctor each, against a real server."""
    roads = canaries.roads()
    vendor = canaries.Vendor({str(n): answer for n, answer in enumerate(roads.values())})
    try:
        env = canaries.plant(tmp_path, list(roads), vendor.address)
        shown = (
            mttr("--data-dir", tmp_path / "data", "--config", tmp_path / "mttr.toml", "doctor", env=env).ended(1).out
        )
    finally:
        vendor.close()
    assert sum(line.startswith("road_") and "[hidden]" in line for line in shown.splitlines()) >= len(roads) - 4, shown
    assert list(canaries.leaks(iter([("output", shown)]))) == []


@pytest.mark.slow
def test_nothing_that_is_written_shows_a_secret_or_a_person(tmp_path: Path) -> None:
    """A run and a rebuild with everything planted, recorded by Dagster; published files, records and output are searched."""
    roads = {name: answer for name, answer in canaries.roads().items() if name in canaries.SHORT}
    found, shown = canaries.try_roads(tmp_path, roads)
    assert "Published in" in shown, shown
    text = "\n".join(text for place, text in canaries.written(tmp_path) if "mttr.duckdb:" in place)
    assert "person-" in text and "[hidden]" in text and "<e-mail>" in text
    assert found == []
