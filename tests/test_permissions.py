"""Who may read what: raw data is for the user who runs, what is published for the readers that the settings name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support_e2e import latest, mttr

from mttr_pipeline.config.sections import Publish
from mttr_pipeline.defs.resources import held, prepared
from mttr_pipeline.errors import ConfigError
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("name", ["landing", "extracts.jsonl", ".lock"])
def test_what_belongs_to_another_user_is_one_sentence(tmp_path: Path, name: str) -> None:
    """A run by hand as root leaves files that the nightly run of another user cannot write."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        if str(parent) not in ("/", "/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    foreign = tmp_path / name
    foreign.touch() if "." in name else foreign.mkdir()
    foreign.chmod(0o700 if name == "landing" else 0o600)
    os.seteuid(65_534)
    try:
        said = f"{name} belongs to the user root .*run as that user, or give"
        with pytest.raises(ConfigError, match=said), held(prepared(tmp_path), 0):
            pass
    finally:
        os.seteuid(0)


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
