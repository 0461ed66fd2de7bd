"""Fills the disk while `mttr` works: one sentence and exit code 1, what was published stays whole, and the next run is whole.

    python promises/disk_full.py --cases 12             # as root: a small file system of its own (tmpfs); else skipped
    python promises/disk_full.py --limit --cases 12     # no file may grow beyond a size (RLIMIT_FSIZE), for anyone

Pieces: `--from 13 --cases 12` goes on. A case is a `mttr run` with new records at four vendors (every fourth case: a `mttr import`)
on a data directory with a published generation. The room that is free goes from nothing to what the command needs, so that cases
end while they pull, load and build, and publish. Afterwards there is room, the command runs again, and every table is compared
with that of an undisturbed run. One line per case, with the phase in which the disk was full; the exit code is 1 when one is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import ground
from ground import LATER, NOW, OF_A_PULL, Ended, differences, forked, mttr, standing

PHASES = {"": "before the first write", "l": "extract", "b": "load and build", "p": "publish", "s": "after the swap"}
ROOM = 400_000_000  # bytes: more than anything here needs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first case; it is also its seed")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--limit", action="store_true", help="limit the size of files instead of the disk")
    options = parser.parse_args()
    ground.warm()
    broken = 0
    phases: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, ground.vendors() as env:
        folder = Path(name)
        if not options.limit and not can_mount(folder):
            print("Skipped: only root can mount a file system; --limit needs no rights.")
            return
        template, expected, need = prepared(folder, env)
        for number in range(options.first, options.first + options.cases):
            try:
                phase, told = played(folder, template, expected, env, number, need, options.limit)
                phases[phase] += 1
                print(f"{number}: {told}", flush=True)
            except AssertionError as error:
                broken += 1
                print(f"{number}: BROKEN: {error}", flush=True)
    print(
        f"{options.cases} cases, {broken} broken; " + ", ".join(f"{n} full in {phase}" for phase, n in phases.items())
    )
    sys.exit(1 if broken else 0)


def prepared(folder: Path, env: dict[str, str]) -> tuple[Path, dict[str, Path], int]:
    """A data directory to start from, what comes of it undisturbed, and the bytes that a run adds to it."""
    template = folder / "template"
    template.mkdir()
    with ground.vendors(NOW) as before:
        mttr(template, "run", "--as-of", NOW.isoformat(), env=before).end().require()
    (folder / "own.jsonl").write_text(ground.custom_lines(0, 300), encoding="utf-8")
    expected = {name: ground.copy_of(template, f"expected-{name}") for name in ("run", "import")}
    mttr(expected["import"], "import", folder / "own.jsonl").end().require()
    for data in expected.values():
        mttr(data, "run", "--as-of", LATER.isoformat(), env=env).end().require()
    return template, expected, size_of(expected["run"]) - size_of(template)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if not path.is_symlink())


def played(
    folder: Path, template: Path, expected: dict[str, Path], env: dict[str, str], number: int, need: int, limit: bool
) -> tuple[str, str]:
    """One case; gives the phase in which the disk was full, and a line. Raises AssertionError with what is broken."""
    chance = random.Random(number)
    name = "import" if number % 4 == 0 else "run"
    arguments: dict[str, tuple[object, ...]] = {
        "import": ("import", folder / "own.jsonl"),
        "run": ("run", "--as-of", LATER.isoformat()),
    }
    # little room ends a pull, more a build, and nearly enough a publish
    most = (5_000, 300_000, need // 2, need)[number % 4 if name == "run" else 0]
    if limit:
        most = (5_000, 30_000, 60_000_000, 400_000)[number % 4 if name == "run" else 0]
    free = chance.randrange(most)
    with place(folder, not limit) as (root, widen):
        data = Path(shutil.copytree(template, root / "data", symlinks=True))
        if not limit:
            widen(used_of(root) + free)

        def little() -> None:
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (free, resource.RLIM_INFINITY))

        before = forked(standing, data)
        full = mttr(data, *arguments[name], env=env, setup=little).end()
        if full.code:
            require_sentence(full, data)
            assert forked(standing, data) == before, "another generation is published"
        if not limit:
            widen(ROOM)
        if full.code or name == "import":
            for what in [name] * bool(full.code) + ["run"] * (name == "import"):
                mttr(data, *arguments[what], env=env).end().require()
        forked(standing, data)
        # An import that was noted as failed is told, which is right.
        taken = "source = 'custom' AND status = 'complete'"
        wrong = forked(differences, data, expected[name], OF_A_PULL, taken)
        assert not wrong, "; ".join(wrong)
    phase = PHASES[full.phases[-1:]] if full.code else "no phase"
    return phase, f"{name} with {free:,} bytes: {phase}: {full.err.strip().splitlines()[-1] if full.code else 'enough'}"


def require_sentence(full: Ended, data: Path) -> None:
    """Whole sentences without a traceback, one of which names the place; exit code 1."""
    lines = full.err.strip().splitlines()
    assert full.code == 1 and "Traceback" not in full.err, f"exit code {full.code}: {full.err}"
    assert lines and all(line.startswith(("mttr: ", "The working database ")) for line in lines), full.err
    assert any(str(data) in line for line in lines), f"no place is named: {full.err}"


# -- a small file system -----------------------------------------------------------------------------------------------


def can_mount(folder: Path) -> bool:
    """Whether a tmpfs can be mounted here."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    (folder / "tried").mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder / "tried"], capture_output=True, check=False
    )
    if done.returncode == 0:
        subprocess.run(["umount", folder / "tried"], check=True)
    return done.returncode == 0


@contextlib.contextmanager
def place(folder: Path, is_small: bool) -> Iterator[tuple[Path, Callable[[int], object]]]:
    """A folder to work in, on a file system of its own or not, and what changes the size of that."""
    root = folder / "place"
    root.mkdir(exist_ok=True)
    if not is_small:
        try:
            yield root, lambda _: None
        finally:
            shutil.rmtree(root)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", root], check=True)
    try:
        yield root, lambda wanted: subprocess.run(["mount", "-o", f"remount,size={wanted}", root], check=True)
    finally:
        subprocess.run(["umount", "-l", root], check=True)


def used_of(root: Path) -> int:
    usage = os.statvfs(root)
    return (usage.f_blocks - usage.f_bfree) * usage.f_frsize


if __name__ == "__main__":
    main()
