"""The file of decisions, `links.csv` beside `mttr.toml`: which records a person says are one incident, which are not, and which
deploy introduced an incident or did not.

One line per pair: source, external_id, source, external_id, one of WORDS, by, why. A deploy is the second of its pair. A first line
of column names is allowed, and so are empty lines. A line that cannot be used is told with its number and reason, and the others
hold. Where two lines contradict each other, or several do together (A is B, B is C, A is not C), `different` holds, because a false
merge is worse than a missed one.
"""

from __future__ import annotations

import csv
import io
import os
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mttr_pipeline.errors import ConfigError

FILE_NAME = "links.csv"
#: Of a record of an incident and a deploy: introduced by it, or not. Of two records of incidents: same or different.
OF_DEPLOYS = ("introduced", "not introduced")
WORDS = ("same", "different", *OF_DEPLOYS)
FORBID = ("different", "not introduced")
COLUMNS = ("source", "external_id", "other_source", "other_external_id", "decision", "by", "why")
MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class Decision:
    """What somebody says of two vendor records, and why: `decision` is one of WORDS. Of `introduced`, the other one is a deploy."""

    source: str
    external_id: str
    other_source: str
    other_external_id: str
    decision: str
    decided_by: str | None
    why: str | None
    line: int

    @property
    def pair(self) -> tuple[tuple[str, str], ...]:
        """The two records, in the same order whichever stands first."""
        return tuple(sorted([(self.source, self.external_id), (self.other_source, self.other_external_id)]))


@dataclass(frozen=True)
class Decisions:
    """The lines that hold, and what is wrong with the others: line and sentence."""

    valid: tuple[Decision, ...] = ()
    problems: tuple[tuple[int, str], ...] = field(default=())


def decisions_file(config_file: Path | None) -> Path:
    """Where the decisions stand: beside the configuration file, or where that would be."""
    return (config_file or Path("mttr.toml")).with_name(FILE_NAME)


def read_decisions(path: Path, sources: Collection[str]) -> Decisions:
    """The decisions of a file about records of these sources; none where there is no file. A broken line never raises."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return Decisions(problems=((0, f"{path} is larger than {MOST_BYTES >> 20} MB; none of it is used."),))
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return Decisions()
    except UnicodeDecodeError:
        return Decisions(problems=((0, f"{path} is no UTF-8 text; save it as UTF-8. None of it is used."),))
    except OSError as error:
        return Decisions(problems=((0, f"{path} cannot be read: {error.strerror}. None of it is used."),))
    kept: dict[tuple[tuple[str, str], ...], Decision] = {}
    problems: list[tuple[int, str]] = []
    for number, cells in _lines(text, problems):
        decision = _decision(number, cells, sources)
        if isinstance(decision, str):
            problems.append((number, decision))
            continue
        before = kept.get(decision.pair)
        if before is not None and before.decision != decision.decision:
            holds = before if before.decision in FORBID else decision
            told = f"one says {before.decision}, the other {decision.decision}; {holds.decision} holds."
            problems.append((number, f"contradicts line {before.line}: {told}"))
            decision = holds
        kept[decision.pair] = decision
    for lines in contradictions(kept.values()):
        problems.append((max(lines), _together(sorted(lines))))
    return Decisions(tuple(sorted(kept.values(), key=lambda one: one.pair)), tuple(sorted(problems)))


def contradictions(decisions: Iterable[Decision]) -> list[tuple[int, ...]]:
    """Each decision `different` whose two records a chain of decisions `same` joins: its line, then those of the shortest chain.

    The records are kept apart in any case (`metrics.groups`): one of the chain joins nothing.
    """
    joined: dict[tuple[str, str], list[tuple[tuple[str, str], int]]] = {}
    refused = []
    for decision in decisions:
        one, other = _records(decision)
        if decision.decision in OF_DEPLOYS:
            continue
        if decision.decision == "different":
            refused.append(decision)
            continue
        joined.setdefault(one, []).append((other, decision.line))
        joined.setdefault(other, []).append((one, decision.line))
    found = []
    for decision in refused:
        one, other = _records(decision)
        if one in joined and other in joined and (chain := _chain(joined, one, other)):
            found.append((decision.line, *chain))
    return found


def _chain(
    joined: dict[tuple[str, str], list[tuple[tuple[str, str], int]]], one: tuple[str, str], other: tuple[str, str]
) -> list[int]:
    """The lines that lead from one record to the other, as few as there are; none where nothing does."""
    came: dict[tuple[str, str], tuple[tuple[str, str], int]] = {one: (one, 0)}
    waiting = deque([one])
    while waiting and other not in came:
        here = waiting.popleft()
        for there, line in joined[here]:
            if there not in came:
                came[there] = (here, line)
                waiting.append(there)
    lines = []
    while other != one and other in came:
        other, line = came[other]
        lines.append(line)
    return lines


def _together(lines: Sequence[int]) -> str:
    """What is wrong with the last of these lines."""
    before = ", ".join(map(str, lines[:-2])) + (" and " if len(lines) > 2 else "") + str(lines[-2])
    return (
        f"contradicts lines {before}: together they say that two records are one incident and that they are not; "
        "different holds, so one of the lines that say same joins nothing."
    )


def add_decision(path: Path, decision: Decision) -> None:
    """Add a line to the file, which is begun with its column names where it is not there.

    The file is there as it was or with the whole line, whenever this ends. Raises ConfigError where it cannot be written, and for
    what a line cannot hold, such as an id with a line break.
    """
    said = [" ".join((text or "").split()) for text in (decision.decided_by, decision.why)]
    cells = [*(name for record in _records(decision) for name in record), decision.decision, *said]
    line = _line(cells)
    if [read for _, read in _lines(line, [])] != [cells]:
        raise ConfigError("No line of a CSV file can hold the ids of these records. Nothing was decided.")
    target = path.resolve()  # a link to the file stays one
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        before = target.read_bytes() if target.exists() else b""
        begin = _line(COLUMNS) if not before else "" if before.endswith(b"\n") else "\n"
        part.write_bytes(before + (begin + line).encode())
        if before:
            part.chmod(target.stat().st_mode)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror}. Nothing was decided.") from error


def _records(decision: Decision) -> tuple[tuple[str, str], tuple[str, str]]:
    return (decision.source, decision.external_id), (decision.other_source, decision.other_external_id)


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _lines(text: str, problems: list[tuple[int, str]]) -> list[tuple[int, list[str]]]:
    """Number and cells of each line that says something. A line each: an open quotation mark must not swallow the lines after it."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], strict=True), [])]
        except csv.Error as error:
            problems.append((number, f"is no line of a CSV file: {error}."))
            continue
        if any(cells) and not (number == 1 and cells[0].lower() == COLUMNS[0]):
            found.append((number, cells))
    return found


def _decision(number: int, cells: list[str], sources: Collection[str]) -> Decision | str:
    """What a line says, or what is wrong with it."""
    if not 5 <= len(cells) <= len(COLUMNS):
        return f"has {len(cells)} cells; write {', '.join(COLUMNS)}."
    source, external_id, other_source, other_external_id, word, by, why = cells + [""] * (len(COLUMNS) - len(cells))
    word = " ".join(word.lower().split())
    if word not in WORDS:
        return f"says {word!r}; write {', '.join(WORDS[:-1])} or {WORDS[-1]}."
    for name in (source, other_source):
        if name not in sources:
            return f"names the source {name!r}, which is not configured; known: {', '.join(sorted(sources))}."
    if not external_id or not other_external_id:
        return "has no id of one of the two records."
    if (source, external_id) == (other_source, other_external_id):
        return "names one record twice."
    return Decision(source, external_id, other_source, other_external_id, word, by or None, why or None, number)
