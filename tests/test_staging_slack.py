"""Payloads of Slack to the common shape; each case says in its case.toml what would go wrong without it."""

from pathlib import Path

import pytest
from staging_cases import cases, run_case


@pytest.mark.parametrize("name", cases("slack"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("slack", name, tmp_path)
