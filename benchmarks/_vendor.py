"""A PagerDuty account of any size that answers as fast as a Python process can: every record is rendered before the start.

    python benchmarks/_vendor.py --incidents 20000 --entries 6 [--latency-ms 50] [--per-minute 960] [--changed 1000]

It prints its address and serves until its standard input closes. It honours what the pull relies on: since/until (half-open),
offset, limit (at most 100), total, statuses[], include[]=incidents, the ceiling of 10,000 rows, and in `--per-minute` a
budget with PagerDuty's headers and 429. `GET /requests` tells how many requests were answered so far.

Incidents lie evenly over the days before UNTIL, log entries over the half hour after each. With `--changed K` the account
stands one day later: K incidents of the whole history have a new log entry of that day and a new `updated_at`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import threading
import time
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qsl, unquote

UNTIL = datetime(2025, 10, 1, tzinfo=UTC)
PAGE, CEILING = 100, 10_000
SERVICES, TEAMS, OPEN = 40, 8, 200
ENTRY_TYPES = ("trigger", "assign", "notify", "acknowledge", "annotate", "resolve")
_API, _WEB = "https://api.pagerduty.com", "https://larkspur.pagerduty.com"


def reference(kind: str, identity: str, summary: str) -> dict[str, str | None]:
    """What lists embed instead of the object itself."""
    path = f"{kind}s/{identity}"
    return {
        "id": identity,
        "type": f"{kind}_reference",
        "summary": summary,
        "self": f"{_API}/{path}",
        "html_url": f"{_WEB}/{path}",
    }


def _template(value: object) -> bytes:
    """JSON as a bytes format string: `<name>` becomes a place holder, per cent signs are escaped."""
    text = json.dumps(value, separators=(",", ":")).replace("%", "%%")
    return text.replace('"<number>"', "%(number)d").replace("<", "%(").replace(">", ")b").encode()


_INCIDENT = _template(
    {
        "id": "<id>",
        "type": "incident",
        "summary": "[#<n>] <title>",
        "self": f"{_API}/incidents/<id>",
        "html_url": f"{_WEB}/incidents/<id>",
        "incident_number": "<number>",
        "title": "<title>",
        "description": "<title>",
        "created_at": "<created>",
        "updated_at": "<updated>",
        "status": "<status>",
        "incident_key": "<key>",
        "service": reference("service", "PS<service>", "<service_name>"),
        "assignments": [],
        "assigned_via": "escalation_policy",
        "last_status_change_at": "<updated>",
        "resolved_at": "<resolved>",
        "first_trigger_log_entry": reference("trigger_log_entry", "R<key>", "Triggered through the API."),
        "alert_counts": {"all": 1, "triggered": 0, "resolved": 1},
        "is_mergeable": True,
        "incident_type": {"name": "incident_default"},
        "escalation_policy": reference("escalation_policy", "PE<service>", "<service_name> on call"),
        "teams": [reference("team", "PT<team>", "Team <team>")],
        "pending_actions": [],
        "acknowledgements": [],
        "alert_grouping": None,
        "last_status_change_by": reference("user", "PRC88ZT", "Wei Chen"),
        "priority": reference("priority", "PP3", "P3"),
        "resolve_reason": None,
        "incidents_responders": [],
        "responder_requests": [],
        "urgency": "high",
    }
).replace(b'"%(resolved)b"', b"%(resolved)b")

_ENTRY = _template(
    {
        "id": "<entry>",
        "type": "<type>_log_entry",
        "summary": "<type> by Wei Chen",
        "self": f"{_API}/log_entries/<entry>?incident_id=<id>",
        "html_url": None,
        "created_at": "<created>",
        "service": reference("service", "PS<service>", "<service_name>"),
        "teams": [reference("team", "PT<team>", "Team <team>")],
        "contexts": [],
        "event_details": {},
        "agent": reference("user", "PRC88ZT", "Wei Chen"),
        "channel": {"type": "website"},
        "acknowledgement_timeout": 1800,
        "incident": "<incident>",
    }
).replace(b'"%(incident)b"', b"%(incident)b")
_EMBEDDED = _template(reference("incident", "<id>", "[#<n>] <title>"))
_WHAT = ("requests fail", "latency above 2 s", "queue grows", "disk nearly full", "certificate expires", "replica lags")


def _iso(instant: datetime) -> bytes:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ").encode()


class Account:
    """All records, rendered; both lists ascend by creation, as their stamps do."""

    def __init__(self, incidents: int, entries: int, days: int, changed: int) -> None:
        began = UNTIL - timedelta(days=days)
        step = timedelta(days=days) / max(incidents, 1)
        touched = {number * incidents // changed for number in range(changed)}
        self.incidents: list[tuple[bytes, bytes]] = []  # created_at, incident
        self.open: list[bytes] = []
        self.entries: list[
            tuple[bytes, bytes, int, int]
        ] = []  # created_at, entry, where its incident begins and whose it is
        for number in range(incidents):
            created = began + number * step
            lasts = min(timedelta(minutes=30), UNTIL - created)
            moved = UNTIL + timedelta(seconds=3600 + number * 72000 // incidents)
            is_open = incidents - number <= OPEN and number not in touched and number % 2 == 0
            updated = _iso(moved if number in touched else created + lasts)
            service, key = number * 7 % SERVICES, hashlib.md5(b"%d" % number).hexdigest()[:24].encode()
            values: dict[bytes, bytes | int] = {
                b"id": b"Q" + key[:13].upper(),
                b"n": b"%d" % number,
                b"number": number,
                b"key": key,
                b"title": b"Service %03d: %b on node %b" % (service, _WHAT[number % 6].encode(), key[16:]),
                b"created": _iso(created),
                b"updated": updated,
                b"status": b"triggered" if is_open else b"resolved",
                b"resolved": b"null" if is_open else b'"' + updated + b'"',
                b"service": b"%03d" % service,
                b"service_name": b"Service %03d" % service,
                b"team": b"%02d" % (service % TEAMS),
            }
            full = _INCIDENT % values
            self.incidents.append((_iso(created), full))
            if is_open:
                self.open.append(full)
            values[b"incident"] = _EMBEDDED % values
            stamps = [_iso(created + lasts * place / entries) for place in range(entries)]
            stamps += [_iso(moved)] if number in touched else []
            for place, stamp in enumerate(stamps):
                kind = ENTRY_TYPES[place % len(ENTRY_TYPES) if place < entries else -1]
                kind = "annotate" if is_open and kind == "resolve" else kind
                identity = b"R" + hashlib.md5(b"%d/%d" % (number, place)).hexdigest()[:24].upper().encode()
                values |= {b"created": stamp, b"entry": identity, b"type": kind.encode()}
                entry = _ENTRY % values
                self.entries.append((stamp, entry, entry.index(b',"incident":') + 12, number))
        self.entries.sort(key=lambda row: row[0])
        self.incident_stamps = [row[0] for row in self.incidents]
        self.entry_stamps = [row[0] for row in self.entries]
        self.lists = {
            "services": [
                json.dumps(
                    {**reference("service", f"PS{n:03d}", f"Service {n:03d}"), "name": f"Service {n:03d}"}
                ).encode()
                for n in range(SERVICES)
            ],
            "teams": [
                json.dumps({**reference("team", f"PT{n:02d}", f"Team {n:02d}"), "name": f"Team {n:02d}"}).encode()
                for n in range(TEAMS)
            ],
            "priorities": [
                json.dumps({**reference("priority", f"PP{n}", f"P{n}"), "name": f"P{n}"}).encode() for n in range(1, 6)
            ],
        }

    def page(self, path: str, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        """Status and body of one list request."""
        asked = dict(query)
        name = path.strip("/")
        offset, limit = int(asked.get("offset", 0)), min(int(asked.get("limit", 25)), PAGE)
        if offset + limit > CEILING:
            return 400, b'{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Offset is too large."]}}'
        if name == "incidents" and "statuses[]" in asked:
            rows, total = self.open[offset : offset + limit], len(self.open)
        elif name == "incidents":
            low, high = _between(self.incident_stamps, asked)
            total = high - low
            rows = [full for _, full in self.incidents[low + offset : min(low + offset + limit, high)]]
        elif name == "log_entries":  # the newest first
            low, high = _between(self.entry_stamps, asked)
            total = high - low
            found = self.entries[max(low, high - offset - limit) : high - offset] if offset < total else []
            if ("include[]", "incidents") in query:
                rows = [entry[:at] + self.incidents[number][1] + b"}" for _, entry, at, number in reversed(found)]
            else:
                rows = [entry for _, entry, _, _ in reversed(found)]
        elif name in self.lists:
            rows, total = self.lists[name][offset : offset + limit], len(self.lists[name])
        else:
            return 404, b'{"error":{"message":"Not Found","code":2100}}'
        shown = b"%d" % total if asked.get("total") == "true" else b"null"
        more = b"true" if offset + len(rows) < total else b"false"
        return 200, b'{"%b":[%b],"limit":%d,"offset":%d,"total":%b,"more":%b}' % (
            *(name.encode(), b",".join(rows), limit, offset, shown, more),
        )


def _between(stamps: list[bytes], asked: dict[str, str]) -> tuple[int, int]:
    low = bisect_left(stamps, asked["since"].encode()) if "since" in asked else 0
    high = bisect_left(stamps, asked["until"].encode()) if "until" in asked else len(stamps)
    return low, max(low, high)


def windows(since: datetime, until: datetime, rows: int, target: int) -> list[tuple[str, str]]:
    """The range in equal pieces of about `target` of its `rows` each, as the API wants them: for clients that know that much."""
    parts = max(1, -(-rows // target))
    edges = [since + (until - since) * place / parts for place in range(parts + 1)]
    return list(pairwise(edge.replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ") for edge in edges))


class Server(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, GET only."""

    account: Account
    latency: float
    per_minute: int
    answered = 0
    opened = -60.0
    used = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=1 << 24)
        self._transport = transport
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            target = self._waiting[4 : self._waiting.find(b" HTTP", 4)].decode()
            self._waiting = self._waiting[end + 4 :]
            path, _, query = target.partition("?")
            if path == "/requests":
                self._send(200, b"%d" % Server.answered, b"")
                continue
            Server.answered += 1
            allowed, headers = self._budget()
            if allowed:
                status, body = Server.account.page(unquote(path), parse_qsl(query))
            else:
                status, body = 429, b'{"error":{"message":"Rate Limit Exceeded","code":2020}}'
            if Server.latency:
                asyncio.get_running_loop().call_later(Server.latency, self._send, status, body, headers)
            else:
                self._send(status, body, headers)

    def _budget(self) -> tuple[bool, bytes]:
        """So many requests in each minute that begins with a request, counted as PagerDuty shows it."""
        if not Server.per_minute:
            return True, b""
        now = time.monotonic()
        if now - Server.opened >= 60:
            Server.opened, Server.used = now, 0
        allowed = Server.used < Server.per_minute
        Server.used += allowed
        return allowed, b"ratelimit-limit: %d\r\nratelimit-remaining: %d\r\nratelimit-reset: %d\r\n" % (
            *(Server.per_minute, Server.per_minute - Server.used, int(Server.opened + 60 - now) + 1),
        )

    def _send(self, status: int, body: bytes, headers: bytes) -> None:
        self._transport.writelines(
            (
                b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n"
                % (status, headers, len(body)),
                body,
            )
        )


async def serve(port: int) -> None:
    """Say the address, serve until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", port, backlog=256)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    closed = asyncio.Event()

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=watch, daemon=True).start()
    await closed.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A synthetic PagerDuty account over HTTP, for the benchmarks.")
    parser.add_argument("--incidents", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=6, help="log entries of each incident")
    parser.add_argument("--days", type=int, default=700, help="how far the history reaches back")
    parser.add_argument("--changed", type=int, default=0, help="incidents that changed on the day after")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--per-minute", type=int, default=0, help="requests a minute before 429; 0 = no limit")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    Server.account = Account(options.incidents, options.entries, options.days, options.changed)
    Server.latency, Server.per_minute = options.latency_ms / 1000, options.per_minute
    asyncio.run(serve(options.port))


if __name__ == "__main__":
    main()
