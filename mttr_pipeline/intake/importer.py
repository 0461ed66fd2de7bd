"""`mttr import`: files into the landing zone: custom incident records, and webhook bodies that were received.

Custom records become the source `custom`, stream `records` (or `deploys`), whatever kind of file they stand in:

    {"file": <name as given>, "line": <1-based>, "given": {...}, "record": {...}}
    {"file": <name as given>, "line": <1-based>, "id": <if it can be told>, "unreadable": <text>, "reason": <why>}

`given` is what a preset made the record of; it stands there where there is
one. Webhook bodies become the source `inbox` (`received` says how), told apart record by record, so that one file may hold
both. What is neither is a custom record, and the rules for those say what is wrong with it. A preset may also land records in
the stream that a vendor's API fills.

What belongs here: making sure that each landed line is JSON that every reader agrees on, and that a signed body is its
sender's. What does not: whether a file may come in at all (`door`), and any judgement of a value. SQL does that for all sources
alike and sends what it cannot use to quarantine, with the file and line that stand here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from mttr_pipeline import interrupts
from mttr_pipeline.config.imports import KNOWN_FIELDS
from mttr_pipeline.config.settings import Account
from mttr_pipeline.errors import ConfigError, MttrError
from mttr_pipeline.intake import deploys, received
from mttr_pipeline.intake.door import inspect, inspect_for, spelling
from mttr_pipeline.intake.presets import CUSTOM, Made, Preset, Runner
from mttr_pipeline.intake.signatures import headers_beside, signature_problem
from mttr_pipeline.intake.strangers import whose
from mttr_pipeline.landing.readers import (
    MAX_RECORD_BYTES,
    MAX_TEXT,
    Input,
    Lines,
    Readable,
    Reading,
    Unreadable,
    checked_file,
    explained,
    kept_whole,
    readable,
    readable_in_part,
    unreadable,
)
from mttr_pipeline.landing.repeats import known_name_twice
from mttr_pipeline.landing.store import Extract, Landing
from mttr_pipeline.sources.kit.declare import Fields

if TYPE_CHECKING:
    from mttr_pipeline.progress import Progress

__all__ = ["KNOWN_FIELDS", "MAX_RECORD_BYTES", "MAX_TEXT", "ImportReport", "Intake", "import_files"]

SOURCE, STREAM = "custom", "records"

MAX_NAMES = 1000  # distinct unknown field names that are counted one by one
OTHER_NAMES = "(other names)"

_quoted_names = {name: b'"%s"' % name.encode() for name in (*KNOWN_FIELDS, *deploys.DEPLOY_FIELDS)}
_encode = msgspec.json.encode


@dataclass
class ImportReport:
    """What one import landed. `bodies` counts the custom deploys, and the lines of received bodies, by what they are called;
    `unknown_fields` counts the custom records that carry each name: they are kept, not used."""

    extract_id: str
    files: list[str]
    records: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    replaced: int = 0
    unknown_fields: dict[str, int] = field(default_factory=dict)

    @property
    def landed(self) -> int:
        """Records and bodies, without the unreadable ones."""
        return self.records + self.bodies.total()

    def lines(self) -> list[str]:
        """The report as sentences for the terminal."""
        counts = {noun: n for noun, n in sorted(self.bodies.items()) if n}
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
        if self.replaced:
            what = "character is" if self.replaced == 1 else "characters are"
            out.append(
                f"{self.replaced:,} {what} not valid in the encoding of the file and replaced by \N{REPLACEMENT CHARACTER}; the "
                "records are used. If the file is not UTF-8, name its encoding in a preset of your own."
            )
        if self.unknown_fields:
            shown = sorted(self.unknown_fields.items(), key=lambda item: (-item[1], item[0]))
            names = ", ".join(f"{name} ({count:,})" for name, count in shown[:20])
            more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
            out.append(f"Unknown fields, kept in the landing zone and not used: {names}{more}.")
            meant = [f"{name} is written {field}" for name, _ in shown if (field := spelling(name))]
            if meant:
                out.append(f"Field names are written in lower case: {', '.join(meant[:20])}.")
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
    preset: Preset | None = None,
    zone: str | None = None,
) -> ImportReport:
    """Land the records of all files: all of them or none.

    Every file is checked first (it exists, can be read, its kind is known, it has records that can be told apart) and
    hashed; only then something is written. The extract carries no high-water mark: a later import adds to it and replaces single
    records. Memory does not grow with a file, except for a JSON array, of which the position of each record is kept
    (and the whole text when it is compressed). `accounts` are those whose webhook bodies are recognised. `progress` is updated
    after every 10,000 records. `preset` makes records of files of another program; `zone` is that of custom records.

    Raises ConfigError, naming the file and the remedy, for a file that cannot be imported; should a file turn out to be
    damaged further in, the import is marked as failed and nothing of it is ever loaded.
    """
    reading = preset.reading if preset else Reading()
    inputs = [checked_file(path, reading=reading) for path in dict.fromkeys(map(Path, paths))]
    for file in inputs:
        if preset:
            inspect_for(preset, file)
        else:
            inspect(file, lambda fields: bool(received.possible_senders(fields, accounts)))
    if not inputs:
        raise ConfigError("No file was named; write `mttr import FILE...` with JSON Lines, CSV or Parquet files.")
    plan: dict[str, Any] = {"files": [{"name": i.name, "bytes": i.bytes, "sha256": i.sha256} for i in inputs]}
    if preset:
        # `incremental`: a list that somebody saved settles nothing that a pull found
        plan |= {"preset": preset.name, "mode": "incremental"}
    if progress:
        progress.start(SOURCE)
    try:
        with Intake(landing, run_id, plan, accounts) as intake, ExitStack() as stack:
            runner = stack.enter_context(Runner(preset, zone)) if preset else None
            for number, source in enumerate(inputs):
                for count in intake.take_with(runner, source) if runner else intake.take(source):
                    if progress and count % 10_000 == 0:
                        progress.update(SOURCE, STREAM, number, len(inputs), intake.report.landed)
                if progress:
                    progress.update(SOURCE, STREAM, number + 1, len(inputs), intake.report.landed)
        return intake.report
    finally:
        if progress:
            progress.finish(SOURCE)


class Intake:
    """What one import writes: an extract of custom records, one of received bodies, or one of a vendor's records, each begun with
    its first line.

    A context manager: left in order, the extracts are complete; left by an exception, they are failed and nothing of
    them is ever loaded. That of the bodies is completed last: a crash in between leaves the import to be done again.
    """

    def __init__(self, landing: Landing, run_id: str, plan: dict[str, Any], accounts: Sequence[Account]) -> None:
        # the run id makes the plan this call's own, so that the remains of a failed import are never taken up
        self._landing, self._run_id, self._plan = landing, run_id, {**plan, "run_id": run_id}
        self._accounts = tuple(accounts)
        self._extracts: dict[str, Extract] = {}
        self._writers: dict[tuple[str, str], Callable[[bytes], None]] = {}
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

    def is_body(self, fields: Fields) -> bool:
        """Whether a record is a webhook body that a source reads."""
        return bool(received.possible_senders(fields, self._accounts))

    def take(self, file: Input, account: str | None = None) -> Iterator[int]:
        """Land every record of a file; gives the number of lines so far after each. `account` is the one whose bodies the file
        holds, where that is known. Raises ConfigError when the file turns out to be damaged; what was read until then stays."""
        self.report.files.append(file.name)
        beside = _Beside(file, account)
        for number, content in _contents(file):
            self._sort(file.name, number, content, beside)
            yield self.lines

    def take_with(self, runner: Runner, file: Input) -> Iterator[int]:
        """Like `take`, for a file that a preset reads."""
        self.report.files.append(file.name)
        source, _, stream = runner.preset.lands.partition(".")
        for number, made in _made(runner, file):
            if isinstance(made, Unreadable):
                self._write(source, stream, file.name, number, made)
            else:
                self._write_made(source, stream, file.name, number, made)
            yield self.lines

    def _write_made(self, source: str, stream: str, name: str, number: int, made: Made) -> None:
        self.report.replaced += made.replaced
        if f"{source}.{stream}" == CUSTOM:
            record = b',"given":%b,"record":%b' % (made.given, _encode(made.row))
            self._write(source, stream, name, number, record)
        elif source == received.SOURCE:
            members = b"".join(b",%b:%b" % (_encode(key), bytes(raw)) for key, raw in made.row.items())
            self._write(source, stream, name, number, members)
            self.report.bodies[self._noun(stream)] += 1
        else:
            self._writer(source, stream)(bytes(made.row["record"]))
            self.lines += 1
            self.report.bodies[self._noun(source, "record")] += 1

    def _noun(self, name: str, kind: str = "") -> str:
        """What the terminal calls a record of an account; without a kind, as its webhook bodies are called."""
        account = next((account for account in self._accounts if account.name == name), None)
        webhook = received.webhook_of(account) if account else None
        return webhook.noun if webhook and not kind else f"{account.title if account else name} {kind or 'record'}"

    def refuse(self, name: str, reason: str, text: str = "") -> None:
        """Land that a file cannot be read, so that it is listed like a line that cannot."""
        self._write(SOURCE, STREAM, name, 1, Unreadable(text, reason))

    def _sort(self, name: str, number: int, content: bytes | Unreadable, beside: _Beside) -> None:
        """A record to the stream it belongs to."""
        found = readable(content) if isinstance(content, bytes) else content
        if isinstance(found, Unreadable) and isinstance(content, bytes):
            body = readable_in_part(content)
            found = found if isinstance(body, Unreadable) or not self.is_body(body.fields) else body
        if isinstance(found, Unreadable):
            self._write(SOURCE, STREAM, name, number, found)
            return
        fields, content, replaced = found
        senders = received.possible_senders(fields, self._accounts)
        if not senders:
            problem = _no_record(found)
            deploy = problem is None and deploys.is_deploy(fields)
            self._write(SOURCE, deploys.STREAM if deploy else STREAM, name, number, problem or b',"record":' + content)
            if not problem:
                self.report.replaced += replaced
                self.report.bodies[deploys.NOUN] += deploy
                self._count_unknown(deploys.unknown(fields, deploy=deploy))
            return
        self.report.replaced += replaced
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
            known = b',"id":' + _encode(part.id.replace("\0", "\N{REPLACEMENT CHARACTER}")) if part.id else b""
            line = b'%b%b,"unreadable":%b,"reason":%b}' % (start, known, shown, _encode(part.reason))
        else:
            self.report.records += (source, stream) == (SOURCE, STREAM)
            line = b"%b%b}" % (start, part)
        self._writer(source, stream)(line)

    def _writer(self, source: str, stream: str) -> Callable[[bytes], None]:
        if (source, stream) not in self._writers:
            writing = self.begin(source).writing(stream, "all")
            self._writers[source, stream] = self._open.enter_context(writing)
        return self._writers[source, stream]

    def _count_unknown(self, names: Iterable[str]) -> None:
        for name in names:
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
                        extract.fail(_why_not(error))


def _why_not(error: BaseException) -> str:
    """Why an import is failed, in a sentence."""
    if ended := interrupts.ended_by() if isinstance(error, Exception) else interrupts.interrupted_by():
        return f"{ended}; nothing of it is loaded."
    if isinstance(error, OSError) and error.strerror:
        return f"A file cannot be read or written: {error.strerror}."
    return str(error) if isinstance(error, MttrError) else f"{type(error).__name__}: {error}"


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
        yield from file.read()


def _made(runner: Runner, file: Input) -> Iterator[tuple[int, Made | Unreadable]]:
    """The same of a file that a preset reads."""
    with explained(file.name):
        yield from runner.made(file.read())


def _no_record(found: Readable) -> Unreadable | None:
    """Why an object is no custom record: the body of a sender that no source reads, or a known name that stands there twice."""
    if "external_id" not in found.fields and (stranger := whose(found.content)):
        return unreadable(found.content, f"looks like {stranger.name}, which is not read")
    problem = known_name_twice(found.content, _quoted_names, found.fields)  # read_json refuses the whole file for it
    return kept_whole(found.content, problem) if problem else None
