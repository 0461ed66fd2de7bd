"""Kills `mttr` at random moments: what was published stays whole, and the next run gives the tables of an undisturbed one.

    python promises/kills.py landing --cases 50    # `mttr import` and `mttr compact`, up to 60 kills a case
    python promises/kills.py rebuild --cases 10    # `mttr rebuild`, up to 4 kills a case, half of them while it publishes
    python promises/kills.py run --cases 10        # `mttr run` with new records at four vendors, up to 4 kills a case
    python promises/kills.py publish --cases 20    # the publish step alone, up to 4 kills a case; old generations go meanwhile

Pieces: `--from 51 --cases 50` goes on where the first fifty ended, and the counts add up. A case is a few kills in a row, each on
what the one before it left, then the command without a kill. Three in five kills are SIGKILL, the others SIGTERM and SIGINT. A
kill comes at a random moment, or at the n-th time that the command opens, renames, makes or deletes something in the data directory.
After each kill, all that was published must have its checksums and open read-only, and no complete extract may be gone. After the
case, every table is compared with that of an undisturbed run, row by row and both ways. One line per case; the exit code is 1
when anything differs.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import ground
from ground import LATER, NOW, OF_A_PULL, OF_A_RUN, Ended, Process, differences, forked, mttr, standing

PHASES = {"": "reading", "l": "landing", "b": "load and build", "p": "publish", "s": "after the swap"}
SIGNALS = (*[signal.SIGKILL] * 3, signal.SIGTERM, signal.SIGINT)
EXIT_CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
AT_LATER = ("--as-of", LATER.isoformat())


@dataclass
class Case:
    """What one kind of case kills, and what ends it.

    start    begins what is killed: the data directory, chance, the strike or None, complete extracts so far -> a process
    finish   the commands without a kill
    most     kills in a row
    expected the data directory after an undisturbed run
    """

    start: Callable[[Path, random.Random, tuple[str, int, int] | None, int], tuple[str, Process]]
    finish: Callable[[Path], object]
    most: int
    template: Path
    expected: Path
    seconds: dict[str, float]
    leave_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    where: str = "true"
    publishing: float = 0.0  # share of kills that wait for the publish
    events: int = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first case; it is also its seed")
    parser.add_argument("--cases", type=int, default=10)
    options = parser.parse_args()
    ground.warm()
    counts: Counter[str] = Counter()
    broken = 0
    with tempfile.TemporaryDirectory() as name, ground.vendors() as env:
        case = KINDS[options.kind](prepared(Path(name)), env)
        for number in range(options.first, options.first + options.cases):
            said: list[str] = []
            try:
                played(case, random.Random(f"{options.kind} {number}"), counts, said)
                verdict = "equal"
            except AssertionError as error:
                broken += 1
                verdict = f"BROKEN: {error}"
            print(f"{options.kind} {number}: {', '.join(said)}: {verdict}", flush=True)
    kills = sum(counts.values())
    print(f"{kills} kills in {options.cases} cases; " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    print(f"{broken} cases broken")
    sys.exit(1 if broken else 0)


def prepared(folder: Path) -> Path:
    """A data directory with old imports of six months, a pull of four vendors and a published generation."""
    data = folder / "template"
    data.mkdir()
    forked(_old_imports, data)
    with ground.vendors(NOW) as env:
        mttr(data, "run", "--as-of", NOW.isoformat(), env=env).end().require()
    (folder / "own.jsonl").write_text(ground.custom_lines(100, 300, day=9), encoding="utf-8")
    return data


def _old_imports(data: Path) -> None:
    from mttr_pipeline.intake.importer import import_files
    from mttr_pipeline.landing.store import Landing, new_run_id

    path = data / "old.jsonl"
    for number in range(24):
        path.write_text(ground.custom_lines(number * 8, 10), encoding="utf-8")
        run_id = new_run_id(datetime(2025, 1, 10, tzinfo=UTC) + timedelta(days=7 * number))
        import_files([path], Landing(data / "landing"), run_id)
    path.unlink()


def undisturbed(template: Path, finish: Callable[[Path], object]) -> tuple[Path, float]:
    expected = ground.copy_of(template, "expected")
    began = ground.time.monotonic()
    finish(expected)
    return expected, ground.time.monotonic() - began


def landing_case(template: Path, _env: dict[str, str]) -> Case:
    """Imports and merging; the tables are built when both have ended. An import that came to its end is not repeated."""
    files = template.parent / "own.jsonl"
    commands = {"import": ("import", files), "compact": ("compact", "--older-than", 30)}
    before = len(forked(complete, template))

    def start(
        data: Path, chance: random.Random, strike: tuple[str, int, int] | None, extracts: int
    ) -> tuple[str, Process]:
        name = "compact" if extracts > before else chance.choice(list(commands))
        return name, mttr(data, *commands[name], strike=strike)

    def finish(data: Path) -> None:
        if len(forked(complete, data)) == before:
            mttr(data, *commands["import"]).end().require()
        mttr(data, *commands["compact"]).end().require()
        mttr(data, "rebuild", *AT_LATER).end().require()

    expected, _ = undisturbed(template, finish)
    seconds = {"import": 0.3, "compact": 0.2}
    return Case(start, finish, 60, template, expected, seconds, OF_A_RUN, "status = 'complete'", events=120)


def rebuild_case(template: Path, _env: dict[str, str]) -> Case:
    def finish(data: Path) -> None:
        mttr(data, "rebuild", *AT_LATER).end().require()

    expected, seconds = undisturbed(template, finish)
    return Case(
        lambda data, _, strike, __: ("rebuild", mttr(data, "rebuild", *AT_LATER, strike=strike)),
        finish, 4, template, expected, {"rebuild": seconds}, publishing=0.5,
    )  # fmt: skip


def run_case(template: Path, env: dict[str, str]) -> Case:
    """A killed pull is an attempt of its own in `source_runs`; how often something was read is not compared."""

    def finish(data: Path) -> None:
        mttr(data, "run", *AT_LATER, env=env).end().require()

    expected, seconds = undisturbed(template, finish)
    return Case(
        lambda data, _, strike, __: ("run", mttr(data, "run", *AT_LATER, env=env, strike=strike)),
        finish, 4, template, expected, {"run": seconds}, OF_A_PULL, "source = 'custom'", publishing=0.2,
    )  # fmt: skip


def publish_case(template: Path, _env: dict[str, str]) -> Case:
    """The tables are made once: each try publishes a copy of the working database, because a killed run leaves it torn."""
    mttr(template, "rebuild", *AT_LATER).end().require()
    built = ground.copy_of(template, "built")

    def publisher(data: Path, strike: tuple[str, int, int] | None = None) -> Process:
        for path in built.glob("work*.duckdb"):
            shutil.copyfile(path, data / path.name)
        return Process(lambda: publish_alone(data, strike), data)

    expected, seconds = undisturbed(template, lambda data: publisher(data).end().require())
    return Case(
        lambda data, _, strike, __: ("publish", publisher(data, strike)),
        lambda data: publisher(data).end().require(),
        4, template, expected, {"publish": seconds}, publishing=1.0,
    )  # fmt: skip


def publish_alone(data: Path, strike: tuple[str, int, int] | None) -> None:
    """What the step `published` does with the tables of the run that made them."""
    from mttr_pipeline import interrupts
    from mttr_pipeline.config.sections import Keep
    from mttr_pipeline.landing.store import new_run_id
    from mttr_pipeline.publish import publish
    from mttr_pipeline.sources.registry import load_settings
    from mttr_pipeline.warehouse.database import Warehouse

    ground._Watch.strike = strike
    run_id = (
        (data / "published" / "latest").resolve().name if not (data / ".run").exists() else (data / ".run").read_text()
    )
    (data / ".run").write_text(run_id)
    with interrupts.watched(lambda number: None) as signals:
        try:
            warehouse = Warehouse(data / "work.duckdb", load_settings(data_dir=data), LATER, run_id)
            publish(warehouse, data / "published", new_run_id(), Keep(nights=1, weeks=0, months=0))
            warehouse.close()
        except BaseException:
            signals.wait()  # the handler may have run before the thread that hears signals
            if signals.exit_code is None:
                raise
    if signals.exit_code is not None:
        sys.exit(signals.exit_code)


KINDS = {"landing": landing_case, "rebuild": rebuild_case, "run": run_case, "publish": publish_case}


def played(case: Case, chance: random.Random, counts: Counter[str], said: list[str]) -> None:
    """One case. Raises AssertionError with what is not as promised."""
    data = ground.copy_of(case.template, "data")
    before, extracts = forked(state, data)
    for _ in range(chance.randint(1, case.most)):
        if said[-2:] == ["compact ended before"] * 2:  # there is nothing left to kill
            break
        number = chance.choice(SIGNALS)
        ended, name = killed(case, data, chance, number, len(extracts))
        as_expected = ended.code in (0, EXIT_CODES[number]) or (
            ended.code == -number and not ended.phases
        )  # still loading
        assert as_expected, f"{name}: exit code {ended.code} after {number.name}: {ended.out}{ended.err}"
        if ended.code == 0:
            said.append(f"{name} ended before")
        else:
            phase = PHASES[ended.phases[-1:]]
            counts[f"{name} in {phase}"] += 1
            said.append(f"{name} {number.name} in {phase}")
        now, found = forked(state, data)
        assert now == before or "s" in ended.phases, f"another generation: {now}"
        before = now
        assert extracts <= found, "a complete extract is gone"
        extracts = found
    case.finish(data)
    forked(standing, data)
    wrong = forked(differences, data, case.expected, case.leave_out, case.where)
    assert not wrong, "; ".join(wrong)
    left = [path.name for path in (data / "published").iterdir() if path.name.startswith(".")]
    assert not left, f"left behind: {left}"


def killed(case: Case, data: Path, chance: random.Random, number: signal.Signals, extracts: int) -> tuple[Ended, str]:
    """Start it, and kill it."""
    in_publish = chance.random() < case.publishing
    at_event = chance.random() < 0.5
    phase = "p" if in_publish else "0"
    # small numbers more often than large ones: a command that ends before its event is not killed
    strike = (phase, int(case.events ** chance.random()), number) if at_event else None
    name, process = case.start(data, chance, strike, extracts)
    if not at_event:
        if in_publish:
            process.wait_for("p")
        process.sleep(chance.random() * case.seconds[name] * (0.15 if in_publish and name != "publish" else 1))
        process.send(number)
    ended = process.end()
    return ended, name


def state(data: Path) -> tuple[str, set[tuple[str, str, str]]]:
    """What readers see, and what is complete in the landing zone. For `forked`."""
    return standing(data), complete(data)


def complete(data: Path) -> set[tuple[str, str, str]]:
    """Source, extract and file hashes of all complete extracts; each file has its hash. For `forked`."""
    from mttr_pipeline.landing.store import Landing

    landing = Landing(data / "landing")
    found = [manifest for manifest in landing.manifests() if manifest.status == "complete"]
    with landing.available(found) as root:
        for manifest in found:
            landing.verify(manifest, root)
    return {(m.source, m.extract_id, " ".join(file.sha256 for file in m.files)) for m in found}


if __name__ == "__main__":
    main()
