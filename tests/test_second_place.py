"""The second place of what is published: everything arrives, the pointer comes last, and what goes wrong there is one sentence.

The stores are real: a folder, and moto's S3 server over HTTP on loopback, which can be told to refuse, and to kill its client.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import polars as pl
import pytest
from support_e2e import REPOSITORY, clean_env, command, latest, mttr

from mttr_pipeline.config.sections import Keep, Publish
from mttr_pipeline.errors import ConfigError, ContractError, MttrError
from mttr_pipeline.publish import Place, Readers

RECORD = '{"external_id": "%s", "detected_at": "2026-10-01T00:00:00Z", "resolved_at": "2026-10-01T01:00:00Z"}\n'


def generation(root: Path, day: int, rows: int = 3) -> Path:
    """A small generation, whole and with a true manifest."""
    folder = root / f"202611{day:02d}T020000000Z-{day:04x}"
    (folder / "parquet").mkdir(parents=True)
    pl.DataFrame({"day": [day] * rows}).write_parquet(folder / "parquet" / "days.parquet")
    (folder / "report.html").write_text(f"day {day}")
    sums = {
        path.relative_to(folder).as_posix(): {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.rglob("*.*")
    }
    (folder / "manifest.json").write_text(json.dumps({"as_of": f"2026-11-{day:02d}T02:00:00Z", "files": sums}))
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


# -- a folder ----------------------------------------------------------------------------------------------------------


def test_a_folder_gets_every_file_then_the_pointer_and_keeps_the_rule(tmp_path: Path) -> None:
    """Old generations go as here; what lies there and is no generation of ours stays, and remains of a killed copy do not."""
    place, there = Place(f"file://{tmp_path}/share"), tmp_path / "share"
    there.mkdir()
    for day in (1, 2, 3):
        made = generation(tmp_path / "published", day)
        place.copy(made, Keep(nights=1, weeks=0, months=0), Readers(0o640))
        (there / "notes.txt").write_text("somebody else's")
        (there / "20261101T030000000Z-dead").mkdir(exist_ok=True)
        (there / "20261101T030000000Z-dead" / "report.html").write_text("half")
    names = {path.name for path in there.iterdir()}
    assert names == {"20261102T020000000Z-0002", made.name, "latest.json", "notes.txt", "20261101T030000000Z-dead"}
    assert contents(there / made.name) == contents(made)
    manifest = (made / "manifest.json").read_bytes()
    assert json.loads((there / "latest.json").read_bytes()) == {
        "run_id": made.name,
        "as_of": "2026-11-03T02:00:00Z",
        "path": made.name,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }
    assert {oct(path.stat().st_mode & 0o777) for path in (there / made.name).rglob("*.*")} == {"0o640"}
    assert {oct(path.stat().st_mode & 0o777) for path in (there / made.name).glob("par*")} == {"0o750"}
    assert place.copy(made, Keep(nights=1, weeks=0, months=0), Readers()).sent == 1, "only the manifest again"
    assert not (there / "20261101T030000000Z-dead").exists()


def test_the_pointer_names_nothing_that_is_not_whole(tmp_path: Path) -> None:
    """Killed before the last file: the next copy sends what is missing or cut, and only then moves the pointer."""
    place, there = Place(f"file://{tmp_path}/share"), tmp_path / "share"
    there.mkdir()
    first, second = (generation(tmp_path / "published", day) for day in (1, 2))
    place.copy(first, Keep(), Readers())
    (there / second.name).mkdir()
    (there / second.name / "report.html").write_bytes(b"da")
    pointer = (there / "latest.json").read_bytes()
    (there / second.name / "parquet").write_text("a file in the way")
    with pytest.raises(MttrError, match=rf"published in {tmp_path}/published, but were not copied to file://{there}"):
        place.copy(second, Keep(), Readers())
    (there / second.name / "parquet").unlink()
    assert (there / "latest.json").read_bytes() == pointer
    assert place.copy(second, Keep(), Readers()).sent == 3
    assert contents(there / second.name) == contents(second)
    assert json.loads((there / "latest.json").read_bytes())["run_id"] == second.name


def test_nights_when_the_place_was_down_are_made_up_for(tmp_path: Path) -> None:
    """Its rotation is that of the disk here: what still stands here and the rules keep arrives with the next copy, but for what
    a reader changed. A new place gets no history."""
    place, there = Place(f"file://{tmp_path}/share"), tmp_path / "share"
    keep = Keep(nights=3, weeks=0, months=0)
    there.mkdir()
    made = {day: generation(tmp_path / "published", day) for day in range(1, 8)}
    assert place.copy(made[2], keep, Readers()).filled == 0, "the first one"
    (made[6] / "report.html").write_text("changed")
    generation(tmp_path / "published", 8).joinpath("manifest.json").unlink()
    done = place.copy(made[7], keep, Readers(0o640))
    assert (done.filled, done.deleted) == (1, 0)
    assert {path.name for path in there.iterdir()} == {made[2].name, made[5].name, made[7].name, "latest.json"}
    assert contents(there / made[5].name) == contents(made[5])
    assert oct((there / made[5].name / "report.html").stat().st_mode & 0o777) == "0o640"
    assert json.loads((there / "latest.json").read_bytes())["run_id"] == made[7].name
    assert place.copy(made[7], keep, Readers()).filled == 0


def test_a_generation_that_a_reader_changed_is_not_spread(tmp_path: Path) -> None:
    made = generation(tmp_path / "published", 1)
    (made / "report.html").write_text("day 2")
    with pytest.raises(
        ContractError, match=r"is not copied to .* because report.html was changed after it was published"
    ):
        Place(f"file://{tmp_path}/share").copy(made, Keep(), Readers())


def test_a_share_that_is_not_mounted_does_not_fill_this_disk(tmp_path: Path) -> None:
    with pytest.raises(MttrError, match=r"it is not there .*share is no folder\); create the folder or mount it"):
        Place(f"file://{tmp_path}/share").copy(generation(tmp_path / "published", 1), Keep(), Readers())
    assert not (tmp_path / "share").exists()


@pytest.mark.parametrize(
    ("address", "options", "said"),
    [
        ("s3://key:secret@bucket/x", {}, "must not carry a user name"),
        ("s3://bucket/x?token=abc", {}, "must not carry a user name, a password or a query"),
        ("bucket/x", {}, "must be an address like s3://bucket/prefix"),
        ("memory://x", {}, "memory:// is no place to publish to"),
        ("https://host.example/x", {}, "https:// is no place"),
        ("simplecache::s3://bucket/x", {}, "must be an address like"),
        ("file://share/x", {}, "three slashes"),
        ("s3://bucket/x", {"secret": "abc"}, "secret is a credential; it comes from the environment"),
        ("s3://bucket/x", {"client_kwargs": {"aws_session_token": "abc"}}, "aws_session_token is a credential"),
    ],
)
def test_what_is_no_place_is_refused(address: str, options: dict[str, Any], said: str) -> None:
    """mttr.toml is kept with the code, so no credential may stand in it; and a place must outlive the process."""
    with pytest.raises(ValueError, match=said):
        Publish(to=address, to_options=options)


def test_a_place_within_the_data_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lies in the data directory"):
        Place.of(Publish(to=f"file://{tmp_path}/data/published"), tmp_path / "data")


def test_an_address_that_nothing_here_can_write_to_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written: nothing here can write to oss:// .*ossfs.*the package"):
        Place("oss://bucket/x").probe()


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one imported record."""
    folder = tmp_path_factory.mktemp("second") / "data"
    (folder.parent / "records.jsonl").write_text(RECORD % "1")
    mttr("--data-dir", folder, "import", folder.parent / "records.jsonl").ended(0)
    return folder


def configured(data: Path, content: str) -> tuple[object, ...]:
    """The options of a command with this `[publish]`."""
    path = data.parent / "mttr.toml"
    path.write_text(f"[publish]\n{content}\n")
    return "--data-dir", data, "--config", path


@pytest.mark.slow
def test_a_run_copies_what_it_published_and_ends_with_3_when_it_cannot(data: Path, tmp_path: Path) -> None:
    """The night that cannot reach the place is published here; the next one brings the place up to date."""
    (tmp_path / "share").write_text("a file in the way")
    options = configured(data, f'to = "file://{tmp_path}/share"')
    failed = mttr(*options, "rebuild").ended(3)
    assert (
        f"The results are published in {data}/published, but were not copied to file://{tmp_path}/share: " in failed.err
    )
    assert "Published in" in failed.out and "Copied to" not in failed.out
    (tmp_path / "share").unlink()
    (tmp_path / "share").mkdir()
    done = mttr(*options, "rebuild").ended(0)
    assert f"Copied to file://{tmp_path}/share; latest.json there names the generation" in done.out
    assert contents(tmp_path / "share" / latest(data).name) == contents(latest(data))
    assert f"publish to      ok: file://{tmp_path}/share can be written" in mttr(*options, "doctor").out
    assert {path.name for path in (tmp_path / "share").iterdir()} == {latest(data).name, "latest.json"}


# -- an object store ---------------------------------------------------------------------------------------------------

KEY = "Zq7Vx3nK9bW5tR8yL2pD4mFhT6cJ1sGa0eUoXi"  # what no sentence may show
Middleware = Callable[[dict[str, Any], Callable[..., Any]], Any]


class Store:
    """moto's S3 over HTTP, with the bucket `figures`. `before` may answer a request itself."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.before: Middleware | None = None
        app = DomainDispatcherApplication(create_backend_app)

        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            found = self.before(environ, start) if self.before else None
            return app(environ, start) if found is None else found

        self._server = make_server("127.0.0.1", 0, answer, threaded=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.env = {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "canary",
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def files(self) -> Any:
        import s3fs

        return s3fs.S3FileSystem(
            key="canary", secret=KEY, client_kwargs={"endpoint_url": self.address}, skip_instance_cache=True
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def store() -> Iterator[Store]:
    opened = Store()
    opened.files().mkdir("figures")
    try:
        yield opened
    finally:
        opened.close()


def refused(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
    """What S3 says of a wrong key, with more than it should say."""
    start("403 Forbidden", [("Content-Type", "application/xml")])
    return [
        b'<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>The signature of '
        + f"{KEY} and {KEY[:12]} does not match</Message></Error>".encode()
    ]


@pytest.mark.slow
def test_a_bucket_gets_the_generation_first_and_the_pointer_last(data: Path) -> None:
    """Over HTTP, by the command: copied and read back, killed between files and pointer, refused, no bucket, unplugged."""
    with store() as bucket:
        options = configured(data, 'to = "s3://figures/mttr"\nkeep = { nights = 1, weeks = 0, months = 0 }')
        mttr(*options, "rebuild", env=bucket.env).ended(0)
        files, made = bucket.files(), latest(data)
        sent = {
            path.removeprefix(f"figures/mttr/{made.name}/"): path for path in files.find(f"figures/mttr/{made.name}")
        }
        assert {name: files.cat_file(path) for name, path in sent.items()} == contents(made)
        pointer = json.loads(files.cat_file("figures/mttr/latest.json"))
        assert pointer["manifest_sha256"] == hashlib.sha256((made / "manifest.json").read_bytes()).hexdigest()
        table = f"s3://figures/mttr/{pointer['path']}/parquet/incidents.parquet"
        options_of = {"key": "canary", "secret": KEY, "client_kwargs": {"endpoint_url": bucket.address}}
        assert pl.read_parquet(table, storage_options=options_of, use_pyarrow=True).height == 1
        with duckdb.connect() as con:
            con.register_filesystem(files)
            assert con.execute(f"SELECT external_id FROM read_parquet('{table}')").fetchall() == [("1",)]

        _kill_at_the_pointer(options, bucket)
        assert files.cat_file("figures/mttr/latest.json") == json.dumps(pointer).encode() + b"\n"
        bucket.before = refused
        said = mttr(*options, "rebuild", env=bucket.env).ended(3)
        assert "but were not copied to s3://figures/mttr: access is denied" in said.err and KEY[:8] not in said.text
        said = mttr(*options, "doctor", env=bucket.env).ended(1)
        assert "publish to      s3://figures/mttr cannot be written: access is denied" in said.out
        assert KEY[:8] not in said.text
        bucket.before = None
        newest, one = latest(data), Keep(nights=1, weeks=0, months=0)
        with patch.dict(os.environ, bucket.env):
            assert Place("s3://figures/mttr").copy(newest, one, Readers()).deleted == 1  # catches up
            files.invalidate_cache()
            assert json.loads(files.cat_file("figures/mttr/latest.json"))["run_id"] == newest.name
            folders = {path.rpartition("/")[2] for path in files.ls("figures/mttr")}
            assert len(folders) == 3 and {newest.name, "latest.json"} < folders, "the newest two stay"
            with pytest.raises(MttrError, match="not copied to s3://no-such-bucket/x: it is not there"):
                Place("s3://no-such-bucket/x").copy(newest, one, Readers())
    with (
        patch.dict(os.environ, bucket.env),
        pytest.raises(MttrError, match=r"not copied to s3://figures/mttr: .* The next run copies its own\."),
    ):
        Place("s3://figures/mttr").copy(newest, one, Readers())


def _kill_at_the_pointer(options: tuple[object, ...], bucket: Store) -> None:
    """A rebuild in a process of its own that dies when everything is there but the pointer."""
    reached = threading.Event()

    def stop_there(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith("/mttr/latest.json"):
            running.send_signal(signal.SIGKILL)
            reached.set()
            start("503 Service Unavailable", [])
            return [b""]
        return None

    bucket.before = stop_there
    running = subprocess.Popen(
        command(*options, "rebuild"), env=clean_env(bucket.env), cwd=REPOSITORY, stderr=subprocess.PIPE
    )
    try:
        assert running.wait(120) == -signal.SIGKILL and reached.is_set(), running.stderr
    finally:
        running.kill()
        bucket.before = None
