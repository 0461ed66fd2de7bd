"""Starts two commands on one data directory at the same time: none loses anything, and the one that waits says so.

    python promises/writers.py                       # every pair of Dagster's nightly run, run, rebuild, import and compact, once
    python promises/writers.py --from 4 --cases 3    # the fourth to the sixth of them; after the fifteenth they begin again

The second one starts a random moment after the first. Both must end with exit code 0, and say at most the sentence that
they wait. After that, what neither of the two did is done: two imports, the pull of new records at four vendors, merging. Then every
table is compared with those of the same commands one after the other. One line per case; the exit code is 1 when one is broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from itertools import combinations_with_replacement
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import ground
from ground import LATER, OF_A_PULL, OF_A_RUN, Process, differences, forked, mttr, standing
from kills import complete, prepared

AS_OF = LATER.isoformat()
WRITERS = ("dagster", "run", "rebuild", "import", "compact")
PAIRS = list(combinations_with_replacement(WRITERS, 2))
WAITS = "Another run is using {}; waiting for it to end.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first case; it is also its seed")
    parser.add_argument("--cases", type=int, default=len(PAIRS))
    options = parser.parse_args()
    ground.warm()
    broken = waited = 0
    with tempfile.TemporaryDirectory() as name, ground.vendors() as env:
        template = prepared(Path(name))
        (template.parent / "more.jsonl").write_text(ground.custom_lines(350, 100, day=12), encoding="utf-8")
        expected = ground.copy_of(template, "expected")
        rest(expected, (), env)
        for number in range(options.first, options.first + options.cases):
            pair = PAIRS[(number - 1) % len(PAIRS)]
            try:
                waits = played(template, expected, pair, env, random.Random(number))
                waited += waits
                verdict = ("one waited, " if waits else "") + "equal"
            except AssertionError as error:
                broken += 1
                verdict = f"BROKEN: {error}"
            print(f"{number}: {' and '.join(pair)}: {verdict}", flush=True)
    print(f"{options.cases} pairs, in {waited} of them one waited; {broken} broken")
    sys.exit(1 if broken else 0)


def start(data: Path, writer: str, env: dict[str, str], is_second: bool) -> Process:
    """One of the writers under way. Two imports bring two files."""
    if writer == "dagster":
        return Process(lambda: nightly(data), data, env | {"MTTR_DATA_DIR": str(data)})
    arguments: dict[str, tuple[object, ...]] = {
        "run": ("run", "--as-of", AS_OF),
        "rebuild": ("rebuild", "--as-of", AS_OF),
        "import": ("import", data.parent / ("more.jsonl" if is_second else "own.jsonl")),
        "compact": ("compact", "--older-than", 30),
    }
    return mttr(data, *arguments[writer], env=env)


def nightly(data: Path) -> None:
    """The job `nightly` of the code location, as a process of Dagster runs it."""
    import dagster as dg

    from mttr_pipeline.definitions import defs

    loggers = {"console": {"config": {"log_level": "CRITICAL"}}}
    config = {"loggers": loggers, "resources": {"run": {"config": {"as_of": AS_OF, "data_dir": str(data)}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("nightly").execute_in_process(
            instance=instance, run_config=config, raise_on_error=False
        )
    sys.exit(0 if done.success else 1)


def rest(data: Path, done: tuple[str, ...], env: dict[str, str]) -> None:
    """What the two did not do, one after the other."""
    imports = done.count("import")
    for number in range(imports, 2):
        start(data, "import", env, number == 1).end().require()
    if "compact" not in done:
        start(data, "compact", env, False).end().require()
    start(data, "rebuild" if {"run", "dagster"} & {*done} else "run", env, False).end().require()


def played(template: Path, expected: Path, pair: tuple[str, str], env: dict[str, str], chance: random.Random) -> bool:
    """One pair; gives whether one waited for the other. Raises AssertionError with what is broken."""
    data = ground.copy_of(template, "data")
    before = forked(complete, data)
    first = start(data, pair[0], env, False)
    first.sleep(chance.random() * 2 * chance.random())
    second = start(data, pair[1], env, pair[0] == pair[1])
    waited = False
    for name, process in zip(pair, (first, second), strict=True):
        ended = process.end().require()
        assert ended.err in ("", WAITS.format(data)), f"{name} says {ended.err}"
        waited |= bool(ended.err)
    assert before <= forked(complete, data), "a complete extract is gone"
    forked(standing, data)
    rest(data, pair, env)
    forked(standing, data)
    two_pulls = sum(name in ("run", "dagster") for name in pair) > 1
    wrong = forked(differences, data, expected, OF_A_PULL if two_pulls else OF_A_RUN, "source = 'custom'")
    assert not wrong, "; ".join(wrong)
    return waited


if __name__ == "__main__":
    main()
