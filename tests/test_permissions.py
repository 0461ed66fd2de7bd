"""Who may read what: raw data is for the user who runs, what is published for the readers that the settings name."""

from __future__ import annotations

import grp
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest
from support_e2e import latest, mttr

from mttr_pipeline.config.sections import Publish
from mttr_pipeline.defs.execute import run_instance
from mttr_pipeline.defs.resources import prepared
from mttr_pipeline.intake.signatures import without_secrets
from mttr_pipeline.publish import Readers

RECORD = '{"external_id": "1", "detected_at": "2026-10-01T00:00:00Z", "resolved_at": "2026-10-01T01:00:00Z"}\n'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_raw_data_is_private_and_published_data_is_not(tmp_path: Path) -> None:
    """One run with the inbox and an import, under a umask that gives everything to everybody."""
    data = tmp_path / "data"
    (data / "inbox").mkdir(parents=True)
    (data / "inbox" / "received.json").write_text(RECORD.replace('"1"', '"2"'))
    (data / "inbox" / "received.json.headers").write_text("Authorization: Bearer abcdefgh12345\nX-Id: 7\n")
    (data / "landing").mkdir()  # of an earlier release
    (data / "landing").chmod(0o777)
    (tmp_path / "records.jsonl").write_text(RECORD)
    (tmp_path / "mttr.toml").write_text('[publish]\nmode = "0640"\n')
    umask = os.umask(0)
    try:
        mttr("--data-dir", data, "import", tmp_path / "records.jsonl").ended(0)
        mttr("--data-dir", data, "--config", tmp_path / "mttr.toml", "run").ended(0)
    finally:
        os.umask(umask)
    private = [*data.glob("landing/**/*"), *data.glob("work*"), data / "extracts.jsonl", *data.glob("inbox/*/**/*")]
    assert len(private) > 12
    assert {str(path): oct(mode(path)) for path in private if mode(path) & 0o077} == {}
    assert mode(data / "landing") == 0o700
    folder = latest(data)
    shown = [path for path in folder.rglob("*") if not path.is_symlink()]
    wrong = [p for p in shown if mode(p) != (0o750 if p.is_dir() else 0o440 if p.name == "mttr.duckdb" else 0o640)]
    assert wrong == [] and mode(folder) == mode(folder.parent) == 0o750
    (headers,) = data.glob("inbox/taken/*/received.json.headers")
    assert headers.read_text() == "Authorization: [hidden]\nX-Id: 7\n"


def test_a_new_data_directory_lets_readers_through(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        assert mode(prepared(tmp_path / "data")) == 0o755
    finally:
        os.umask(umask)


@pytest.fixture(scope="module")
def everything_loaded() -> None:
    """Another user may not read the modules of this Python: what a run imports late is imported now."""
    for module in ("defs.execute", "cli.files", "intake.importer"):
        import_module(f"mttr_pipeline.{module}")
    with patch.dict(os.environ), run_instance():
        os.environ.pop("DAGSTER_HOME", None)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user can reach, as those of pytest cannot."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def nobody(folder: Path) -> Iterator[None]:
    """Everything in the folder belongs to the user nobody, and this process is that user meanwhile."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


NOBODY = 65_534
#: What somebody else left in a data directory: its path, what it is, its rights, the command that meets it, what is said.
FOREIGN: list[tuple[str, str, int, str, str]] = [
    ("", "folder", 0o755, "rebuild", "The data directory {} cannot be written (Permission denied); choose another"),
    ("", "folder", 0o700, "rebuild", "belongs to the user root and cannot be read"),
    ("landing", "folder", 0o700, "rebuild", "{}/landing belongs to the user root"),
    ("landing/custom", "folder", 0o700, "import", "{}/landing/custom belongs to the user root"),
    ("landing/custom/29990101T000000000Z-0001", "folder", 0o700, "import", "Z-0001 belongs to the user root"),
    ("landing/custom/29990101T000000000Z-0001", "folder", 0o700, "rebuild", "Z-0001 belongs to the user root"),
    ("extracts.jsonl", "file", 0o600, "import", "{}/extracts.jsonl belongs to the user root"),
    (".lock", "file", 0o600, "rebuild", "{}/.lock belongs to the user root"),
    ("work.duckdb", "file", 0o600, "rebuild", "{}/work.duckdb belongs to the user root"),
    ("pseudonym.key", "file", 0o600, "rebuild", "{}/pseudonym.key belongs to the user root"),
    ("inbox", "folder", 0o700, "run", "The inbox {}/inbox cannot be read (Permission denied)"),
    ("inbox", "folder", 0o755, "rebuild", "{}/inbox belongs to the user root"),
    ("published", "folder", 0o755, "rebuild", "{}/published belongs to the user root"),
    ("published/latest", "folder", 0o755, "rebuild", "{}/published/latest is a folder and not the link to the newest"),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("name", "kind", "rights", "action", "said"),
    [
        pytest.param(*row, marks=[pytest.mark.slow] if row[3] == "rebuild" else []) for row in FOREIGN
    ],  # it starts Dagster
    ids=lambda value: str(value)[:24],
)
def test_what_belongs_to_another_user_is_one_sentence(
    everything_loaded: None, open_folder: Path, name: str, kind: str, rights: int, action: str, said: str
) -> None:
    """A run by hand as root leaves files that the nightly run of another user cannot write. Nothing is begun then."""
    data = open_folder / "data"
    (data / "landing").mkdir(parents=True)
    (open_folder / "records.jsonl").write_text(RECORD)
    with nobody(data):
        foreign = data / name
        os.seteuid(0)
        if kind == "folder":
            foreign.mkdir(parents=True, exist_ok=True)
            os.chown(foreign.parent, NOBODY, NOBODY)
        else:
            foreign.touch()
        os.chown(foreign, 0, 0)
        foreign.chmod(rights)
        os.seteuid(NOBODY)
        given = [open_folder / "records.jsonl"] if action == "import" else []
        result = mttr("--data-dir", data, action, *given, cwd=open_folder).ended(2)
    assert said.format(data) in result.err, result.err
    assert len(result.err.strip().splitlines()) == 1
    assert list(data.glob("published/2*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to any group")
def test_published_files_are_of_the_group_that_is_asked_for(tmp_path: Path) -> None:
    """A group that this machine has, and is not ours; folders can be entered, the database cannot be written."""
    group = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, *os.getgroups()))
    folder = tmp_path / "generation"
    (folder / "parquet").mkdir(parents=True)
    for name in ("mttr.duckdb", "parquet/a.parquet"):
        (folder / name).write_text("x")
    readers = Readers(int(Publish(group=group.gr_name, mode="0640").mode, 8), group.gr_name)
    for path in (folder, *folder.rglob("*")):
        readers.admit(path)
    found = {p.name: (p.stat().st_gid, oct(mode(p))) for p in (folder, *folder.rglob("*"))}
    wanted = {"generation": "0o750", "parquet": "0o750", "mttr.duckdb": "0o440", "a.parquet": "0o640"}
    assert found == {name: (group.gr_gid, rights) for name, rights in wanted.items()}


def test_a_group_that_there_is_not_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"there is no group nobody-knows, see group in \[publish\]"):
        Readers(group="nobody-knows").admit(tmp_path)


@pytest.mark.parametrize("given", ["0444", "0755", "640x", "0240", "rw-r--r--"])
def test_modes_that_no_file_can_have_are_refused(given: str) -> None:
    """Published files are no programs, and a run has to be able to delete them again."""
    with pytest.raises(ValueError, match="is no mode of files"):
        Publish(mode=given)


def test_headers_that_let_their_bearer_in_are_not_kept() -> None:
    """The inbox keeps taken bodies for months; a signature stays, because it proves one body only."""
    sent = b"Host: x\nAUTHORIZATION: Basic\n  b25lOnR3bw==\nCookie: a=1\nX-Gitlab-Token: t\nX-Api-Key: k\n"
    sent += b"X-Hub-Signature: sha256=1f\n"
    kept = without_secrets(sent).decode()
    assert kept == (
        "Host: x\nAUTHORIZATION: [hidden]\nCookie: [hidden]\nX-Gitlab-Token: [hidden]\nX-Api-Key: [hidden]\n"
        "X-Hub-Signature: sha256=1f\n"
    )
