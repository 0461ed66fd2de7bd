"""What the tests of sources in other packages share: the toy of `toy_source`, installed by pip; the API that it pulls, as a real
server; copies of it with one fault each; and the `mttr` command in a process that sees the packages of a folder.

Run as a program, it reads commands as JSON and prints how each ended, and what Dagster shows: several commands then share the two
seconds that Python takes to import everything.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support_e2e import REPOSITORY, Result, clean_env, mttr, process

TOY = REPOSITORY / "tests" / "toy_source"
PAGE = (REPOSITORY / "docs" / "adding-a-source.md").read_text(encoding="utf-8")
LARGEST_PAGE, LAST_ROW = 25, 100


# -- the API -----------------------------------------------------------------------------------------------------------


@dataclass
class ToyApi:
    """A Toy Tickets server. `tickets` are what it lists, sorted by id; `asked` are the questions that it answered."""

    token: str
    tickets: list[dict[str, Any]]
    asked: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    def take_questions(self) -> list[dict[str, str]]:
        """The questions since the last time."""
        taken, self.asked = self.asked, []
        return taken

    def answer(self, token: str, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body for one request."""
        if token != f"Bearer {self.token}":
            return 401, {"error": "the token is not valid"}
        if urlsplit(path).path != "/tickets":
            return 404, {"error": "not found"}
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        offset, limit = int(asked.get("offset", 0)), int(asked["limit"])
        if limit > LARGEST_PAGE or offset + limit > LAST_ROW:
            return 400, {"error": "the page is too large or too far"}
        self.asked.append(asked)
        found = sorted((ticket for ticket in self.tickets if _matches(ticket, asked)), key=lambda t: str(t["id"]))
        page = found[offset : offset + limit]
        return 200, {"tickets": page, "total": len(found), "more": offset + len(page) < len(found)}


def _matches(ticket: dict[str, Any], asked: dict[str, str]) -> bool:
    if asked.get("queue", ticket["queue"]) != ticket["queue"]:
        return False
    return all(
        asked.get(f"{kind}_since", "") <= ticket[name] < asked.get(f"{kind}_until", "9")
        for kind, name in (("created", "created_at"), ("changed", "updated_at"))
    )


@contextmanager
def serving(*apis: ToyApi) -> Iterator[None]:
    """Each API on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api: ToyApi = self.server.api  # type: ignore[attr-defined]
            status, body = api.answer(self.headers.get("Authorization", ""), self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    servers = []
    for api in apis:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.api = api  # type: ignore[attr-defined]
        api.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


# -- packages ----------------------------------------------------------------------------------------------------------


def page_commands(program: str) -> list[list[str]]:
    """The lines of `docs/adding-a-source.md` that call a program, as words without its name."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    return [words[1:] for words in map(shlex.split, lines) if words[0] == program]


def install(folder: Path) -> None:
    """The toy, as the page says it."""
    (words,) = page_commands("pip")
    words[words.index("--target") + 1] = str(folder)
    process([sys.executable, "-m", "pip", *words], cwd=REPOSITORY).ended(0)


def toy_files(name: str) -> dict[str, str]:
    """The files of the package `mttr_<name>`: the toy's own, under another name."""
    found = {}
    for path in sorted((TOY / "mttr_toy").rglob("*")):
        if path.suffix in (".py", ".sql"):
            place = path.relative_to(TOY / "mttr_toy").as_posix().replace("/toy/", f"/{name}/")
            text = path.read_text(encoding="utf-8")
            found[place] = text.replace("mttr_toy", f"mttr_{name}").replace('name="toy"', f'name="{name}"')
    return found


def write_package(folder: Path, package: str, entry: str, files: Mapping[str, str | bytes]) -> None:
    """A package as an installer leaves it in a folder."""
    module = package.replace("-", "_")
    about = folder / f"{module}-1.0.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(f"[mttr_pipeline.sources]\n{entry} = {module}:SOURCE\n", encoding="utf-8")
    for name, text in files.items():
        path = folder / module / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


# -- processes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a process saw: how its commands ended, by name, the assets that Dagster shows and the warnings of loading them."""

    results: dict[str, Result]
    assets: list[str]
    warnings: list[str]


def in_a_process(
    folders: Sequence[Path],
    commands: Mapping[str, Sequence[str]],
    env: Mapping[str, str],
    cwd: Path,
    *,
    without_variables: Sequence[str] = (),
) -> Seen:
    """Run the commands, in their order, in one process of its own that sees the packages in these folders.

    `without_variables` names the commands for which those of `env` are blank.
    """
    blank = dict.fromkeys(env, "")
    path = os.pathsep.join(map(str, [REPOSITORY, REPOSITORY / "tests", *folders]))
    asked = {name: [list(words), blank if name in without_variables else dict(env)] for name, words in commands.items()}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(asked),
        env=clean_env({"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    results = {name: Result(**result) for name, result in answer["results"].items()}
    return Seen(results, answer["assets"], answer["warnings"])


def _definitions() -> tuple[list[str], list[str]]:
    warnings: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    logging.getLogger("mttr_pipeline").addHandler(Kept(logging.WARNING))
    graph = import_module("mttr_pipeline.definitions").defs.resolve_asset_graph()
    return sorted("/".join(key.path) for key in graph.get_all_asset_keys()), warnings


if __name__ == "__main__":
    commands = json.load(sys.stdin).items()
    ended = {name: vars(mttr(*words, env=variables, cwd=Path.cwd())) for name, (words, variables) in commands}
    assets, warnings = _definitions()
    print(json.dumps({"results": ended, "assets": assets, "warnings": warnings}))
