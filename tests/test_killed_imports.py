"""An import that is killed leaves nothing: its file is imported again, and nobody sees that anything happened.

The kill is a real one: the process sends itself SIGKILL before the n-th change that it makes on disk, for every n.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support_e2e import clean_env, mttr

from mttr_pipeline.defs.resources import held, prepared
from mttr_pipeline.landing.store import Landing

_SCRIPT = """
import json, os, shutil, signal, sys
from pathlib import Path
from mttr_pipeline.cli.files import land
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.registry import load_settings

root, steps = Path(sys.argv[1]), 0
records = root / "records.jsonl"


def killed_at(moment):
    count = 0
    def counted(real):
        def step(*given, **more):
            nonlocal count
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)
        return step
    for name in ("replace", "rename", "unlink", "mkdir", "fsync", "chmod"):
        setattr(os, name, counted(getattr(os, name)))
    real = os.write


def imported(data, moment=0):
    if not (child := os.fork()):
        killed_at(moment)
        land(load_settings({}, data_dir=data), [str(records)], None, 5)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def seen(data):
    "Every file, by its place without the name of the extract."
    return sorted(
        "/".join(part for part in path.relative_to(data).parts if not part.startswith("2")) for path in data.rglob("*")
    )


moment, ends = 0, []
assert imported(root / "whole") == 0
whole = seen(root / "whole")
while not ends or ends[-1] == -signal.SIGKILL:
    moment += 1
    data = root / "data"
    shutil.rmtree(data, ignore_errors=True)
    ends.append(imported(data, moment))
    done = [m for m in Landing(data / "landing").manifests("custom") if m.status == "complete"]
    assert imported(data) == 0, moment
    after = Landing(data / "landing").manifests("custom")
    assert [m.status for m in after] == ["complete"] * (len(done) + 1), (moment, after)
    if not done:
        assert seen(data) == whole, (moment, set(seen(data)) ^ set(whole))
    assert not [path for path in data.rglob("*") if path.suffix in (".part", ".tmp")], moment
print(moment)
"""


@pytest.mark.slow  # two processes for each moment
def test_killed_at_any_moment_an_import_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('{"external_id": "1", "detected_at": "2026-10-01T00:00:00Z"}\n' * 3)
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)], env=clean_env(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 10, "too few moments to prove anything"


def test_the_next_command_removes_what_was_left_and_nothing_else(tmp_path: Path) -> None:
    """Temporary folders, half-written files and imports without an end; not a pull to go on with, nor a complete import."""
    data = tmp_path / "data"
    (tmp_path / "records.jsonl").write_text('{"external_id": "1", "detected_at": "2026-10-01T00:00:00Z"}\n')
    mttr("--data-dir", data, "import", tmp_path / "records.jsonl").ended(0)
    landing = Landing(data / "landing")
    [complete] = landing.manifests("custom")
    (landing.folder(complete) / "manifest.json").rename(tmp_path / "manifest.json")  # lost, which a run has to tell
    pulled = landing.begin("pagerduty", "run-1", {"mode": "backfill"})
    pulled.land("incidents", "a", [b"{}"])
    (pulled.folder / "incidents" / "00002.jsonl.part").write_bytes(b"half")
    for source in ("custom", "inbox"):
        for run in ("29990101T000000000Z-0001", "29990101T000000000Z-0002"):
            landing.begin(source, run, {"files": 1, "run_id": run}).land("records", "all", [b"{}"])
    for name in (".load-x", ".unpacked-y", ".spill", "landing/custom/.undone-z"):
        (data / name / "inner").mkdir(parents=True)
    before = {path for path in data.rglob("*") if "2999" not in str(path)}
    with held(prepared(data), 5):
        (data / ".load-now").mkdir()
        with held(data, 5):  # inside another command
            assert (data / ".load-now").is_dir()
        (data / ".load-now").rmdir()
    gone = {path.relative_to(data).as_posix() for path in before if not path.exists()}
    assert gone == {
        *(
            name + inner
            for name in (".load-x", ".unpacked-y", ".spill", "landing/custom/.undone-z")
            for inner in ("", "/inner")
        ),
        "landing/pagerduty/run-1/incidents/00002.jsonl.part",
    }
    assert [folder.name for folder in landing.folders("custom")] == [complete.extract_id]
    assert landing.folders("inbox") == []
