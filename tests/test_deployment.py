"""The files of `examples/`: they fit the programs that read them, and say all there is to say.

The slow tests need the extra `deployment` and systemd-analyze; `.ci/run` installs both.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import requests
import yaml
from live_dagster import until
from pydantic import BaseModel
from support import settings_for
from support_e2e import ONE_KEY, REPOSITORY, clean_env, mttr, query, vendors

from mttr_pipeline.cli.exits import PARTLY
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.config.sections import FileSettings
from mttr_pipeline.errors import ConfigError
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
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_gives_little_to_whoever_gets_into_it(name: str) -> None:
    """By systemd's own scale, on which 10 is a service without any limit and 9.6 is usual."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=35", str(DEPLOYMENT / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-200:]


def started(command: list[str], env: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    """A process with no variable but those that are given, as a service manager starts it."""
    needed = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(cwd), **ONE_KEY}
    return subprocess.Popen(
        command, env=needed | env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def program(folder: Path) -> str:
    """What stands at /opt/mttr/bin/mttr."""
    path = folder / "mttr"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m mttr_pipeline "$@"\n')
    path.chmod(0o755)
    return str(path)


def unit(name: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """ExecStart and Environment of a unit, with its places in `folder`. A credential is a file there, as systemd makes it."""
    places = {"/opt/mttr/bin/mttr": program(folder), "/var/lib/mttr": str(folder / "data"), "/etc/mttr": str(folder)}
    text = (DEPLOYMENT / name).read_text(encoding="utf-8")
    for place, here in (*places.items(), ("%d", str(folder / "credentials"))):
        text = text.replace(place, here)
    (folder / "credentials").mkdir()
    (folder / "mttr.toml").write_text("[sources.pagerduty]\nsince = 2025-09-25\n")
    for credential in re.findall(r"^LoadCredential=(\w+):", text, re.M):
        (folder / "credentials" / credential).write_text(f"a-secret-of-{credential}-0123456789\n")
    (line,) = re.findall(r"^ExecStart=(.+)", text, re.M)
    return line.split(), dict(pair.split("=", 1) for pair in re.findall(r"^Environment=(.+)", text, re.M))


@pytest.mark.slow
def test_the_line_of_the_nightly_unit_publishes(tmp_path: Path) -> None:
    """ExecStart as it stands, with the environment of the unit and nothing else but where the simulated vendor is."""
    line, env = unit("mttr.service", tmp_path)
    with vendors() as server:
        told = server.env("pagerduty")
        (tmp_path / "credentials" / "pagerduty").write_text(told["PAGERDUTY_TOKEN"])
        night = started(line, env | {"PAGERDUTY_API_URL": told["PAGERDUTY_API_URL"]}, tmp_path)
        _, said = night.communicate(timeout=300)
    assert night.returncode == 0, said
    assert query(tmp_path / "data", "SELECT DISTINCT source FROM records") == [("pagerduty",)]


@pytest.mark.slow
def test_the_line_of_the_serving_unit_serves_and_ends_as_the_unit_expects(tmp_path: Path) -> None:
    """The token of the credential opens it, and its exit code after SIGTERM is a success to systemd."""
    line, env = unit("mttr-serve.service", tmp_path)
    (tmp_path / "data").mkdir()
    server = started([word.replace("8321", "0") for word in line], env, tmp_path)
    try:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        token = (tmp_path / "credentials" / "token").read_text().strip()
        asked = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": 10}
        until(lambda: answers(address))
        codes = [
            requests.post(f"{address}/webhook/custom", b"{}", **more).status_code for more in ({"timeout": 10}, asked)
        ]
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    finally:
        server.kill()
    assert codes == [401, 200]
    text = (DEPLOYMENT / "mttr-serve.service").read_text()
    assert f"SuccessExitStatus={server.returncode}\n" in text


def answers(address: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return bool(requests.get(address, timeout=10).status_code)
    return False


@pytest.mark.slow
def test_the_job_of_kubernetes_publishes(tmp_path: Path) -> None:
    """Its arguments behind the entry point of the container file, its variables, and its volumes as folders; exit codes 2 and 3 are
    those that the job does not try again."""
    documents = list(yaml.safe_load_all((DEPLOYMENT / "kubernetes.yaml").read_text(encoding="utf-8")))
    (job,) = [document["spec"]["jobTemplate"]["spec"] for document in documents if document["kind"] == "CronJob"]
    (container,) = job["template"]["spec"]["containers"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [ConfigError.exit_code, PARTLY]
    file = (DEPLOYMENT / "Containerfile").read_text(encoding="utf-8")
    (entry,) = re.findall(r'^ENTRYPOINT \["(\w+)"\]', file, re.M)
    (made,) = re.findall(r"^ENV (.+)", file, re.M)
    mounts = {mount["mountPath"]: tmp_path / mount["name"] for mount in container["volumeMounts"]}
    env = dict(pair.split("=", 1) for pair in made.split()) | {one["name"]: one["value"] for one in container["env"]}
    for place, folder in mounts.items():
        folder.mkdir()
        env = {name: re.sub(rf"^{place}(?=/|$)", str(folder), value) for name, value in env.items()}
    assert entry == "mttr" and Path(env["MTTR_DATA_DIR"]).is_dir() and "/data" in mounts
    with vendors() as server:
        told = server.env("pagerduty")
        Path(env["PAGERDUTY_TOKEN_FILE"]).write_text(told["PAGERDUTY_TOKEN"])
        env |= {
            "PATH": os.environ["PATH"],
            "PAGERDUTY_API_URL": told["PAGERDUTY_API_URL"],
            "TMPDIR": str(tmp_path / "tmp"),
        }
        pod = started([program(tmp_path), *container["args"]], env, Path(env["MTTR_DATA_DIR"]))
        _, said = pod.communicate(timeout=300)
    assert pod.returncode == 0, said
    assert query(Path(env["MTTR_DATA_DIR"]), "SELECT DISTINCT source FROM records") == [("pagerduty",)]


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
