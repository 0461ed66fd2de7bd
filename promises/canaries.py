"""Shows that secrets, names and addresses stay in the landing zone. One line per road: what was planted, what was said of it.

    python promises/canaries.py           every road and spelling: about 100 seconds of CPU time
    python promises/canaries.py redirect  those whose name holds the word

A road is a way by which a secret, or a person, can come in: an error body of a vendor, a header, the address of a redirect, a
received body, an imported file, the name of a file. One real `mttr run` goes down all of them, with a server on loopback and a
DAGSTER_HOME. Then everything that was written or printed is searched: the published files with the contents of Parquet and
DuckDB, the records and logs of Dagster, manifests, output. Landing zone, inbox and working files hold what came, by design;
of them only the errors in manifests are searched. `tests/test_canaries.py` runs a short form.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

SECRET = "Zq7+Vx/3nK9~bW'5tR8&yL2"
PEOPLE = {"name": "Wilhelmina Canary-Okonkwo", "address": "w.canary-okonkwo@people.example"}
PIECE = 8  # characters of a secret that must not be anywhere

SPELLINGS: dict[str, Callable[[str], str]] = {
    "whole": str,
    "cut": lambda s: s[:14],
    "percent": lambda s: quote(s, safe=""),
    "percent in lower case": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "JSON escapes": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "HTML": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "hex": lambda s: s.encode().hex(),
    "Base64": lambda s: base64.b64encode(f"ops@corp.example:{s}".encode()).decode(),
    "URL Base64": lambda s: base64.urlsafe_b64encode(f"u:{s}".encode()).decode(),
    "line breaks": lambda s: "\n".join(s[i : i + 5] for i in range(0, len(s), 5)),
    "tags": lambda s: "<wbr>".join(s[i : i + 4] for i in range(0, len(s), 4)),
}
Answer = tuple[int, dict[str, str], bytes]


def _error(status: int, text: str) -> Answer:
    return status, {}, json.dumps({"error": {"message": f"{PEOPLE['address']} sent {text}: no"}}).encode()


def roads() -> dict[str, Answer]:
    """Name -> what the vendor answers to the pull of an account."""
    found = {f"error body, {name}": _error(403, spell(SECRET)) for name, spell in SPELLINGS.items()}
    found |= {
        f"error page, {n}": (401, {"Content-Type": "text/html"}, f"<p>{'x' * 285}{s(SECRET)}".encode())
        for n, s in SPELLINGS.items()
    }
    found["error in status 200"] = (200, {}, json.dumps({"message": SECRET}).encode())
    found["page in status 200"] = (200, {"Content-Type": "text/html"}, f"<h1>{SECRET}</h1>{PEOPLE['address']}".encode())
    found["no JSON"] = (200, {}, f'{{"incidents": [{SECRET}'.encode())
    found["busy"] = (503, {"Retry-After": "9999"}, json.dumps({"message": SECRET}).encode())
    for name, spell in list(SPELLINGS.items())[:4]:
        found[f"redirect, {name}"] = (
            302,
            {"Location": f"https://u:{quote(SECRET)}@host.example/{spell(SECRET)}?token={SECRET}"},
            b"",
        )
    found["header"] = (403, {"X-Request": quote(SECRET), "Set-Cookie": f"a={quote(SECRET)}"}, b"{}")
    return found


SHORT = ("error body, whole", "error body, Base64", "error page, cut", "redirect, percent")


class Vendor:
    """A server that answers what stands under the first part of the path."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers[self.path.split("/")[1]]
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value.replace("\n", "%0A"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def plant(folder: Path, names: list[str], address: str) -> dict[str, str]:
    """Everything that a run will find in this folder; gives its environment."""
    data = folder / "data"
    (data / "inbox").mkdir(parents=True)
    sections = [
        f'[sources.road_{n}]\nkind = "pagerduty"\nmax_wait_minutes = 0.001\naudit_requests = 0\n'
        for n in range(len(names))
    ]
    (folder / "mttr.toml").write_text("".join(sections))
    texts = " ".join(spell(SECRET) for name, spell in SPELLINGS.items() if name not in ("line breaks", "tags", "HTML"))
    record = {
        "external_id": "1",
        "title": f"{texts} of {PEOPLE['address']}",
        "url": f"https://host.example/?token={SECRET}",
        "service": f"mail {PEOPLE['address']}",
        "tags": [PEOPLE["address"]],
        "detected_at": "2026-10-01T00:00:00Z",
        "timeline": [
            {
                "event_type": "note",
                "at": "2026-10-01T00:10:00Z",
                "actor": PEOPLE["name"],
                "notes": f"{texts} {PEOPLE['address']}",
            },
            {"event_type": "resolved", "at": "2026-10-01T01:00:00Z", "actor": PEOPLE["address"]},
        ],
    }
    bad = {"external_id": "2", "detected_at": f"{SECRET} {PEOPLE['address']}", "affected_users": PEOPLE["address"]}
    # Names of files: no slash, which would be a folder.
    name = f"{SECRET.replace('/', '_')}-{quote(SECRET, safe='')}-{PEOPLE['address']}"
    (folder / f"{name}.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(bad)}\n{{{SECRET}\n")
    agent = {"type": "user_reference", "summary": PEOPLE["name"]}
    incident = {
        "id": "P1",
        "type": "incident",
        "title": f"{SECRET} {PEOPLE['address']}",
        "created_at": "2026-10-02T00:00:00Z",
    }
    incident |= {"status": "acknowledged", "urgency": "high", "service": {"id": "S1", "summary": "api"}, "number": 7}
    event = {"id": "E1", "event_type": "incident.acknowledged", "occurred_at": "2026-10-02T00:05:00Z", "agent": agent}
    (data / "inbox" / f"{name}.json").write_text(json.dumps({"event": {**event, "data": incident}}))
    (data / "inbox" / f"{name}.json.headers").write_text(
        f"Authorization: Bearer {SECRET}\nCookie: a={SECRET}\nX-Id: {SECRET}\n"
    )
    (data / "inbox" / "broken.json").write_text(f'{{"event": {SECRET} {PEOPLE["address"]}')
    tokens = {f"ROAD_{n}_TOKEN": SECRET for n in range(len(names))}
    return (
        tokens
        | {f"ROAD_{n}_API_URL": f"{address}/{n}" for n in range(len(names))}
        | {"DAGSTER_HOME": str(folder / "home")}
        | {
            "ALERT_SLACK_WEBHOOK_URL": f"{address}/0/{quote(SECRET, safe='')}",
            "ALERT_WEBHOOK_URL": f"{address}/0/?token={quote(SECRET, safe='')}",
            "ALERT_WEBHOOK_SECRET": SECRET,
            "ALERT_SMTP_URL": f"smtp://ops:{quote(SECRET, safe='')}@127.0.0.1:9/?from=night@x.example&to={PEOPLE['address']}",
        }
    )


def run(folder: Path, env: dict[str, str]) -> str:
    """Import and run by the real command, in this process; gives what was printed."""
    from mttr_pipeline.cli.main import main

    (folder / "home").mkdir()
    (folder / "home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    (file,) = folder.glob("*.jsonl")
    base = ["--data-dir", str(folder / "data"), "--config", str(folder / "mttr.toml"), "--debug"]
    shown = io.StringIO()
    before = dict(os.environ)
    os.environ.update(env)
    try:
        for command in (
            ["import", str(file)],
            ["run"],
            ["rebuild"],
            ["stats", "--by", "service", "--format", "csv"],
            ["stats"],
            ["alerts"],
            ["alerts", "--test"],
        ):
            with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), contextlib.suppress(SystemExit):
                main([*base, *command])
    finally:
        os.environ.clear()
        os.environ.update(before)
    return shown.getvalue()


def written(folder: Path) -> Iterator[tuple[str, str]]:
    """What was written for others than the pipeline: (place, text)."""
    data = folder / "data"
    seen = [
        data / "alerts.json",
        *data.glob("published/**/*"),
        *folder.glob("home/**/*"),
        *data.glob("landing/**/manifest.json"),
    ]
    seen += [*data.glob("inbox/**/*.headers"), data / "extracts.jsonl"]
    for path in seen:
        if path.is_file() and not path.is_symlink():
            place = str(path.relative_to(folder))
            if path.suffix == ".parquet":
                with duckdb.connect() as con:
                    yield place, _rows(con, f"SELECT * FROM read_parquet('{path}')")
            elif path.name == "mttr.duckdb":
                with duckdb.connect(str(path), read_only=True) as con:
                    for (table,) in con.execute("SELECT table_name FROM information_schema.tables").fetchall():
                        yield f"{place}:{table}", _rows(con, f"FROM {table}")
            content = path.read_bytes().decode("latin-1")
            if path.name == "manifest.json" and "landing" in path.parts:  # its plan names the files, as they are called
                content = "\n".join(str(attempt["error"]) for attempt in json.loads(content)["attempts"])
            yield place, content


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> str:
    return "\n".join(map(repr, con.execute(query).fetchall()))


def canaries() -> dict[str, set[str]]:
    """What must not be found: kind -> texts, any of which is enough."""
    found = {}
    for name, spell in SPELLINGS.items():
        text = spell(SECRET)
        core = text[30:] if name == "Base64" else text[4:] if name == "URL Base64" else text  # not the user before it
        length = PIECE if name in ("whole", "cut") else 2 * PIECE
        found[name] = {core[i : i + length] for i in range(len(core) - length + 1)}
        found[name] |= {json.dumps(piece)[1:-1] for piece in found[name]}
    return found | {kind: {text, quote(text)} for kind, text in PEOPLE.items()}


def leaks(texts: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Where a canary was found: a sentence each."""
    wanted = canaries()
    for place, text in texts:
        for kind, pieces in wanted.items():
            if hit := next((piece for piece in pieces if piece in text), None):
                at = text.index(hit)
                yield f"{kind} in {place}: ...{text[max(0, at - 60) : at + 40]!r}"


def try_roads(folder: Path, chosen: dict[str, Answer]) -> tuple[list[str], str]:
    """One run down these roads; gives what leaked and what was printed."""
    vendor = Vendor({str(n): answer for n, answer in enumerate(chosen.values())})
    try:
        env = plant(folder, list(chosen), vendor.address)
        shown = run(folder, env)
    finally:
        vendor.close()
    return list(leaks(iter([("output", shown), *written(folder)]))), shown


def main_() -> int:
    """Print one line per road; 1 when something leaked."""
    chosen = {name: answer for name, answer in roads().items() if all(word in name for word in sys.argv[1:])}
    with tempfile.TemporaryDirectory() as name:
        found, shown = try_roads(Path(name), chosen)
    said = dict(re.findall(r"PagerDuty \(road_(\d+)\): (.*?)(?= PagerDuty \(road_|$)", shown, re.MULTILINE))
    for n, road in enumerate(chosen):
        print(f"{road:<36} {said.get(str(n), 'nothing was said')[:150]}")
    for road in ("import file", "file names", "received body", "headers beside it", "environment", "places of alerts"):
        print(f"{road:<36} searched in everything that was written")
    if "Published in" not in shown:
        print(shown)
    for leak in found:
        print(f"LEAK {leak}")
    print(f"{len(chosen) + 6} roads, {len(found)} leaks")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main_())
