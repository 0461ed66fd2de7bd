"""Whose data directory it is: the demonstration's or a company's. Invented and real incidents never share one.

What belongs here: the mark that `mttr demo` leaves in its folder, and what it may empty there.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from mttr_pipeline.errors import ConfigError

FOLDER = "mttr-demo"
SENT = "simulated-inbox"  # what simulated programs send; the inbox is for others, and the demonstration leaves it alone
_MARK = ".demo"
_WORK = tuple(f"work{part}.duckdb{log}" for part in ("", ".mart") for log in ("", ".wal"))


def is_demo_folder(data_dir: Path) -> bool:
    """Whether the data directory belongs to `mttr demo`."""
    return (data_dir / _MARK).exists()


def refuse_demo_folder(data_dir: Path) -> None:
    """Raises ConfigError when the data directory belongs to `mttr demo`."""
    if is_demo_folder(data_dir):
        raise ConfigError(f"{data_dir} holds the data of `mttr demo`; choose another --data-dir for real data.")


def refuse_other_folder(data_dir: Path, simulated: Collection[str]) -> None:
    """Raises ConfigError when the folder holds anything that a demo whose extracts have these `simulated` names did not write."""
    if not data_dir.is_dir():
        return
    if not is_demo_folder(data_dir):
        if found := sorted(path.name for path in data_dir.iterdir() if path.name != ".lock"):
            kind = "real data" if "landing" in found else f"files that the demo did not write ({found[0]})"
            raise ConfigError(f"{data_dir} holds {kind}; choose another folder for the demo with --data-dir.")
        return
    landing = data_dir / "landing"
    others = {path.name for path in landing.iterdir()} - set(simulated) if landing.is_dir() else set()
    if others:
        raise ConfigError(
            f"{landing} holds records that the demo did not write ({min(others)}); "
            "choose another folder for the demo with --data-dir."
        )


def empty_demo_folder(data_dir: Path, simulated: Collection[str]) -> None:
    """Mark the folder as the demo's and remove the data of the demo before. The caller holds its lock.

    Published generations stay, as after any run. Raises ConfigError when the folder is not the demo's.
    """
    refuse_other_folder(data_dir, simulated)
    (data_dir / _MARK).touch()
    for name in ("landing", SENT):
        shutil.rmtree(data_dir / name, ignore_errors=True)
    for name in _WORK:  # with what a run that was killed left in their logs
        (data_dir / name).unlink(missing_ok=True)
