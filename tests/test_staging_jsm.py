"""JSM Operations payloads to the common shape; each case says in its case.toml what would go wrong without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from staging_cases import cases, run_case


@pytest.mark.parametrize("name", cases("jsm"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("jsm", name, tmp_path)
