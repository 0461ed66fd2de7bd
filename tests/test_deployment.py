"""The files of `examples/`: they fit the programs that read them, and say all there is to say.

The slow tests need the extra `deployment` and systemd-analyze; `.ci/run` installs both.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from support import settings_for
from support_e2e import REPOSITORY, clean_env, mttr

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.config.sections import FileSettings
from mttr_pipeline.sources.registry import registry

EXAMPLES = REPOSITORY / "examples"
DEPLOYMENT = EXAMPLES / "deployment"
UNITS = sorted(path.name for path in DEPLOYMENT.iterdir() if path.suffix in (".service", ".timer"))


def keys(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a section and of what is in it; `*` stands for a name that the user gives."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield (*path, name)
            yield from keys(field.annotation, (*path, name))
    elif get_origin(kind) is dict:
        yield from keys(get_args(kind)[1], (*path, "*"))
    else:
        for part in get_args(kind):
            yield from keys(part, path)


def stands_in(written: Any, path: tuple[str, ...]) -> bool:
    """Whether a table of a file has a key."""
    if not path or not isinstance(written, dict):
        return not path
    inner = written.values() if path[0] == "*" else [written[path[0]]] if path[0] in written else []
    return any(stands_in(found, path[1:]) for found in inner)


def test_the_example_names_every_setting_and_is_read(tmp_path: Path) -> None:
    """A setting that the complete example lacks is found by nobody; a key that does not exist is an error when it is loaded."""
    written = tomllib.loads((EXAMPLES / "mttr.toml").read_text(encoding="utf-8"))
    missing = [path for path in keys(FileSettings) if not stands_in(written, path)]
    sources = written["sources"]
    general = {key for table in sources.values() for key in table}
    missing += [("sources", "any", key) for key in SourceOptions.model_fields if key not in general]
    for name, source in registry().sources.items():
        if not source.third_party:
            own = set(source.options.model_fields) - set(SourceOptions.model_fields)
            missing += [("sources", name, key) for key in own if key not in sources.get(name, {})]
    assert missing == []
    assert settings_for(tmp_path, written).file.targets.availability_pct == 99.9


def test_every_default_in_the_example_is_the_default(tmp_path: Path) -> None:
    """A line that says neither that it is an example nor `by default` repeats what holds without it."""
    lines = (EXAMPLES / "mttr.toml").read_text(encoding="utf-8").splitlines()
    kept, is_example = [], False
    for line in lines:
        if line.startswith("["):
            is_example = "example" in line or line.startswith(("[sources", "[vocabulary", "[variants", "[imports"))
        if not is_example and "example" not in line and "by default" not in line:
            kept.append(line)
    assert len([line for line in kept if "=" in line]) > 25
    assert settings_for(tmp_path, tomllib.loads("\n".join(kept))).file == settings_for(tmp_path).file


def test_cron_runs_what_the_file_says(tmp_path: Path) -> None:
    """Each line by /bin/sh with the places of this machine: both come as far as saying what they lack."""
    (tmp_path / "env").write_text("MTTR_PSEUDONYM_KEY=0123456789abcdef0123\n")
    (tmp_path / "mttr.toml").write_text("")
    (tmp_path / "mttr").write_text(f'#!/bin/sh\nexec {sys.executable} -m mttr_pipeline "$@"\n')
    (tmp_path / "mttr").chmod(0o755)
    places = {"/opt/mttr/bin/mttr": tmp_path / "mttr", "/var/lib/mttr": tmp_path / "data", "/etc/mttr": tmp_path}
    ended = []
    lines = [line for line in (DEPLOYMENT / "mttr.cron").read_text().splitlines() if re.match(r"\d", line)]
    for line in lines:
        *_, user, command = line.split(None, 6)
        assert user == "mttr"
        for place, here in places.items():
            command = command.replace(place, str(here))
        env = clean_env({"PYTHONPATH": str(REPOSITORY)})
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, env=env, cwd=tmp_path, timeout=120
        )
        ended.append((done.returncode, done.stderr.split(":")[0:2][-1].strip()))
    assert len(lines) == 2
    assert ended[0][0] == 2 and ended[0][1].startswith("No source is configured"), ended
    assert ended[1][0] == 2 and "has no landing zone to compact" in ended[1][1], ended


def test_what_the_files_name_exists() -> None:
    """Commands, options and variables in them are those of the program."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DEPLOYMENT.iterdir())
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs").glob("*.md"))
    for variable in set(re.findall(r"\b[A-Z]+_[A-Z_]*(?:TOKEN|KEY|DIR)(?:_FILE)?\b", text)):
        assert variable in pages, variable
    told = mttr("serve", "--help").out
    assert all(option in told for option in ("--host", "--port"))


@pytest.mark.slow
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (DEPLOYMENT / name).read_text().replace("/opt/mttr/bin/mttr", sys.executable)
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (
        done.returncode,
        [line for line in done.stderr.splitlines() if str(tmp_path) in line or "mttr" in line],
    ) == (0, [])
    (tmp_path / UNITS[0]).write_text(
        (tmp_path / UNITS[0]).read_text().replace("[Service]", "[Service]\nStartTimeout=banana")
    )
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "StartTimeout" in again.stderr, "it would not have seen a mistake"


@pytest.mark.slow
def test_kubernetes_takes_the_objects(tmp_path: Path) -> None:
    """Against the schemas of the API, strictly: a key that does not exist is a mistake too."""
    pytest.importorskip("kubernetes_validate")
    command = [str(Path(sys.executable).with_name("kubernetes-validate")), "--strict"]
    path = DEPLOYMENT / "kubernetes.yaml"
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(path.read_text().replace("concurrencyPolicy", "concurencyPolicy"))
    assert subprocess.run([*command, str(wrong)], capture_output=True, timeout=120).returncode != 0


@pytest.mark.slow
def test_the_container_file_is_well_made() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run([program, DEPLOYMENT / "Containerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert os.access(REPOSITORY / "requirements.txt", os.R_OK)
