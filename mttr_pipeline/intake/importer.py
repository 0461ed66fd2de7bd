"""`mttr import`: files into the landing zone: custom incident records, and webhook bodies that were received.

Custom records become the source `custom`, stream `records`, whatever kind of file they stand in:

    {"file": <name as given>, "line": <1-based>, "record": {...}}
    {"file": <name as given>, "line": <1-based>, "unreadable": <text>, "reason": <why>}

Webhook bodies become the source `inbox` (`received` says how), told apart record by record, so that one file may hold
both. What is neither is a custom record, and the rules for those say what is wrong with it.

What belongs here: making sure that each landed line is JSON that every reader agrees on, and that a signed body is its
sender's. What does not: any judgement of a value. SQL does that for all sources alike and sends what it cannot use to
quarantine, with the file and line that stand here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from mttr_pipeline.config.settings import Account
from mttr_pipeline.config.terms import STAMPS
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake import received
from mttr_pipeline.intake.signatures import headers_beside, signature_problem
from mttr_pipeline.landing.readers import (
    MAX_RECORD_BYTES,
    MAX_TEXT,
    Input,
    Lines,
    Unreadable,
    checked_file,
    explained,
    unreadable,
)
from mttr_pipeline.landing.store import Extract, Landing
from mttr_pipeline.sources.kit.declare import Fields

if TYPE_CHECKING:
    from mttr_pipeline.progress import Progress

__all__ = ["KNOWN_FIELDS", "MAX_RECORD_BYTES", "MAX_TEXT", "ImportReport", "Intake", "import_files"]

SOURCE, STREAM = "custom", "records"

KNOWN_FIELDS = (
    *("external_id", "title", "url", "severity", "status", "kind", *STAMPS, "service", "team", "tags"),
    *("root_cause_category", "affected_users", "revenue_impact", "duplicate_of", "resolution_kind", "updated_at"),
    "timeline",
)

MAX_NAMES = 1000  # distinct unknown field names that are counted one by one
OTHER_NAMES = "(other names)"

_known = frozenset(KNOWN_FIELDS)
_quoted_names = {name: b'"%s"' % name.encode() for name in KNOWN_FIELDS}
_surrogate_escape = re.compile(rb"\\u[dD][89a-fA-F]")
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


@dataclass
class ImportReport:
    """What one import landed. `bodies` counts the lines of received bodies by what they are called; `unknown_fields` counts the
    custom records that carry each name: they are kept, not used."""

    extract_id: str
    files: list[str]
    records: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    unknown_fields: dict[str, int] = field(default_factory=dict)

    @property
    def landed(self) -> int:
        """Records and bodies, without the unreadable ones."""
        return self.records + self.bodies.total()

    def lines(self) -> list[str]:
        """The report as sentences for the terminal."""
        counts = dict(sorted(self.bodies.items()))
        if self.records or not counts:
            counts = {"custom record": self.records, **counts}
        landed = ", ".join(f"{n:,} {name}{'s' * (n != 1)}" for name, n in counts.items())
        files = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        out = [f"Landed {landed} from {files} ({self.extract_id})."]
        if self.unreadable:
            lines = "line is" if self.unreadable == 1 else "lines are"
            out.append(
                f"{self.unreadable:,} {lines} no JSON object, readable row or verified body; "
                "the next run lists each in the table quarantine, with file and line."
            )
        if self.unknown_fields:
            shown = sorted(self.unknown_fields.items(), key=lambda item: (-item[1], item[0]))
            names = ", ".join(f"{name} ({count:,})" for name, count in shown[:20])
            more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
            out.append(f"Unknown fields, kept in the landing zone and not used: {names}{more}.")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


def import_files(
    paths: Iterable[str | Path],
    landing: Landing,
    run_id: str,
    *,
    accounts: Sequence[Account] = (),
    progress: Progress | None = None,
) -> ImportReport:
    """Land the records of all files: all of them or none.

    Every file is checked first (it exists, can be read, its kind is known, a first record is there) and hashed; only
    then something is written. The extract carries no high-water mark: a later import adds to it and replaces single
    records. Memory does not grow with a file, except for a JSON array, of which the position of each record is kept
    (and the whole text when it is compressed). `accounts` are those whose webhook bodies are recognised. `progress` is updated
    after every 10,000 records.

    Raises ConfigError, naming the file and the remedy, for a file that cannot be imported; should a file turn out to be
    damaged further in, the import is marked as failed and nothing of it is ever loaded.
    """
    inputs = [checked_file(path) for path in dict.fromkeys(map(Path, paths))]
    if not inputs:
        raise ConfigError("No file was named; write `mttr import FILE...` with JSON Lines, CSV or Parquet files.")
    plan = {"files": [{"name": i.name, "bytes": i.bytes, "sha256": i.sha256} for i in inputs]}
    if progress:
        progress.start(SOURCE)
    try:
        with Intake(landing, run_id, plan, accounts) as intake:
            for number, source in enumerate(inputs):
                for count in intake.take(source):
                    if progress and count % 10_000 == 0:
                        progress.update(SOURCE, STREAM, number, len(inputs), intake.report.landed)
                if progress:
                    progress.update(SOURCE, STREAM, number + 1, len(inputs), intake.report.landed)
        return intake.report
    finally:
        if progress:
            progress.finish(SOURCE)


class Intake:
    """What one import writes: an extract of custom records and one of received bodies, each begun with its first line.

    A context manager: left in order, both extracts are complete; left by an exception, both are failed and nothing of
    them is ever loaded. That of the bodies is completed last: a crash in between leaves the import to be done again.
    """

    def __init__(self, landing: Landing, run_id: str, plan: dict[str, Any], accounts: Sequence[Account]) -> None:
        # the run id makes the plan this call's own, so that the remains of a failed import are never taken up
        self._landing, self._run_id, self._plan = landing, run_id, {**plan, "run_id": run_id}
        self._accounts = tuple(accounts)
        self._extracts: dict[str, Extract] = {}
        self._writers: dict[tuple[str, str], Any] = {}
        self._open = ExitStack()
        self._unknown: Counter[str] = Counter()
        self._unreadable: Counter[str] = Counter()
        self._facts: Counter[str] = Counter()
        self.lines = 0
        self.report = ImportReport(run_id, [])

    def __enter__(self) -> Intake:
        return self

    def begin(self, source: str) -> Extract:
        """The extract of a source, begun when it is not yet."""
        if source not in self._extracts:
            self._extracts[source] = self._landing.begin(source, self._run_id, self._plan)
            self.report.extract_id = self._extracts[source].extract_id
        return self._extracts[source]

    def take(self, file: Input, account: str | None = None) -> Iterator[int]:
        """Land every record of a file; gives the number of lines so far after each. `account` is the one whose bodies the file
        holds, where that is known. Raises ConfigError when the file turns out to be damaged; what was read until then stays."""
        self.report.files.append(file.name)
        beside = _Beside(file, account)
        for number, content in _contents(file):
            self._sort(file.name, number, content, beside)
            yield self.lines

    def refuse(self, name: str, reason: str, text: str = "") -> None:
        """Land that a file cannot be read, so that it is listed like a line that cannot."""
        self._write(SOURCE, STREAM, name, 1, Unreadable(text, reason))

    def _sort(self, name: str, number: int, content: bytes | Unreadable, beside: _Beside) -> None:
        """A record to the stream it belongs to."""
        fields = _fields(content) if isinstance(content, bytes) else content
        if isinstance(fields, Unreadable):
            self._write(SOURCE, STREAM, name, number, fields)
            return
        assert isinstance(content, bytes)
        senders = received.possible_senders(fields, self._accounts)
        if not senders:
            problem = _known_name_twice(content, fields)
            self._write(SOURCE, STREAM, name, number, problem or b',"record":' + content)
            if not problem:
                self._count_unknown(fields)
            return
        account, distrust = beside.sender(senders)
        webhook = received.webhook_of(account)
        assert webhook is not None
        if distrust:
            self._write(received.SOURCE, account.name, name, number, unreadable(content, distrust))
            return
        if webhook.facts:
            self._facts.update(webhook.facts(fields))
        for part in received.landed_parts(webhook, content, fields, beside.headers):
            self._write(received.SOURCE, account.name, name, number, part)
            self.report.bodies[webhook.noun] += isinstance(part, bytes)

    def _write(self, source: str, stream: str, name: str, number: int, part: bytes | Unreadable) -> None:
        self.lines += 1
        start = b'{"file":%b,"line":%d' % (_encode(name), number)
        if isinstance(part, Unreadable):
            self.report.unreadable += 1
            self._unreadable[source] += 1
            shown = _encode(part.text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
            line = b'%b,"unreadable":%b,"reason":%b}' % (start, shown, _encode(part.reason))
        else:
            self.report.records += source == SOURCE
            line = b"%b%b}" % (start, part)
        if (source, stream) not in self._writers:
            writing = self.begin(source).writing(stream, "all")
            self._writers[source, stream] = self._open.enter_context(writing)
        self._writers[source, stream](line)

    def _count_unknown(self, fields: Fields) -> None:
        for name in fields.keys() - _known:
            self._unknown[name if name in self._unknown or len(self._unknown) < MAX_NAMES else OTHER_NAMES] += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.report.unknown_fields = dict(sorted(self._unknown.items()))
        try:
            self._open.__exit__(kind, error, tb)
            if error is None:
                for source in sorted(self._extracts):  # custom, then inbox
                    extract = self._extracts[source]
                    extract.facts = {"unreadable": self._unreadable[source]}
                    if source == SOURCE:
                        extract.facts["unknown_fields"] = self.report.unknown_fields
                    elif self._facts:
                        extract.facts["counts"] = dict(self._facts)
                    extract.finish()
        except BaseException as failure:
            error = failure
            raise
        finally:
            if error is not None:
                for extract in self._extracts.values():
                    with suppress(OSError):  # a full disk: the reason of the failure is what counts
                        extract.fail(f"{type(error).__name__}: {error}")


class _Beside:
    """What came with a file: headers, and whether they sign it. Read when it is first asked for."""

    def __init__(self, file: Input, account: str | None) -> None:
        with explained(file.name):
            self.headers = headers_beside(file.path)
        self._file, self._account = file, account
        self._problems: dict[str, str | None] = {}

    def sender(self, possible: Sequence[Account]) -> tuple[Account, str | None]:
        """The account that a body belongs to, and why it is not to be believed (None when it is, or when no secret is set).

        Of several accounts of one source: the one that the folder names, else the one whose secret signs the body, else one
        without a secret. Where others have a secret, an account without any counts only if it is pulled: otherwise what nobody
        signed would be believed for the account that nobody uses.
        """
        named = [account for account in possible if account.name == self._account] or list(possible)
        problems = {account.name: self._problem(account) for account in named}
        with_secret = [account for account in named if account.signing_key]
        signed = [account for account in with_secret if problems[account.name] is None]
        unsigned = [account for account in named if not account.signing_key and (account.enabled or not with_secret)]
        chosen = next(iter([*signed, *unsigned, *with_secret]))
        return chosen, problems[chosen.name]

    def _problem(self, account: Account) -> str | None:
        webhook = received.webhook_of(account)
        if account.signing_key is None or webhook is None or webhook.signature is None:
            return None
        if account.name not in self._problems:
            with explained(self._file.name), self._file.path.open("rb") as stream:
                body = stream.read(MAX_RECORD_BYTES + 1)
            secret = account.signing_key.get_secret_value()
            self._problems[account.name] = signature_problem(webhook.signature, self.headers, body, secret)
        return self._problems[account.name]


def _contents(file: Input) -> Lines:
    """What stands in a file. A generator of its own, so that what goes wrong in writing is not blamed on reading."""
    with explained(file.name):
        yield from file.read(file.path)


def _fields(record: bytes) -> Fields | Unreadable:
    """The members of the record if it is one JSON object, or why it is not.

    Stricter than a mere parse, because one line that DuckDB's read_json refuses spoils the load of all: UTF-8 and
    escapes must be valid.
    """
    if len(record) > MAX_RECORD_BYTES:
        return unreadable(record, f"longer than {MAX_RECORD_BYTES >> 20} MB")
    try:
        record.decode()  # strict; raw values are skipped over, not decoded, by the next line
        return _decode_object(record)
    except UnicodeDecodeError:
        return unreadable(record, "not valid UTF-8")
    except RecursionError:
        return unreadable(record, "nested too deeply")
    except msgspec.ValidationError:
        return unreadable(record, "not a JSON object")
    except msgspec.DecodeError as error:
        lone = _surrogate_escape.search(record)  # msgspec calls it truncated
        return unreadable(record, "an escape for half a character (a lone surrogate)" if lone else f"{error}")


def _known_name_twice(record: bytes, fields: Fields) -> Unreadable | None:
    """What is wrong with a custom record that has a known name twice: read_json refuses the whole file for it."""
    twice = any(name in fields and record.count(quoted) > 1 for name, quoted in _quoted_names.items())
    # the slow look only when a quoted name, maybe just a value, stands there twice, or one may be spelt with escapes
    if twice or b"\\u00" in record:
        # numbers as text: Python refuses those of 4,300 digits
        pairs: list[tuple[str, Any]] = json.loads(record, object_pairs_hook=list, parse_int=str)
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1 and name in _known:
                return unreadable(record, f"the name {name} stands there {count} times")
    return None
