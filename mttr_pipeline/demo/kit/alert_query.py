"""The search language of alerts that two vendors of the same maker share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from mttr_pipeline.demo.kit.query import COMPARE, Parser, QueryError, Test, Token, tokens_of
from mttr_pipeline.demo.kit.wire import epoch_ms

TIMES = {"createdat": "createdAt", "updatedat": "updatedAt", "lastoccurredat": "lastOccurredAt"}
_WORDS = {"status": "status", "priority": "priority", "owner": "owner", "source": "source", "alias": "alias"}
_WORDS |= {"tinyid": "tinyId", "message": "message", "id": "id"}


def millis(text: Any) -> int:
    """An ISO instant in milliseconds; -1 for anything else."""
    try:
        return epoch_ms(datetime.fromisoformat(str(text)).astimezone(UTC))
    except ValueError:
        return -1


class _Query(Parser):
    """`field: value`, `createdAt >= 1790820845120`; a bare word searches the message."""

    def __init__(self, tokens: list[Token], columns: Mapping[str, str], unknown: Collection[str]) -> None:
        super().__init__(tokens)
        self._columns = columns
        self._unknown = {name.lower() for name in unknown}

    def clause(self) -> Test:
        word = self.take()
        following = self.peek()
        if following is None or following.quoted or following not in COMPARE:
            return lambda row: word.lower() in str(row.get("message", "")).lower()
        operator, field = self.take(), word.lower()
        if operator == ":" and not self.tokens[self.place].quoted and self.tokens[self.place] in (">", "<", ">=", "<="):
            operator = self.take()
        value, compare = self.take(), COMPARE[operator]
        if field in self._unknown:
            raise QueryError(f"field [{word}] is not searchable")
        if field in TIMES:
            instant, column = _date(value), self._columns.get(TIMES[field], TIMES[field])
            return lambda row: compare(millis(row.get(column)), instant)
        if field in ("tag", "tags"):
            return lambda row: (
                value in (row.get("tags") or ()) if operator != "!=" else value not in row.get("tags", ())
            )
        if field in ("acknowledged", "isseen", "snoozed"):
            column = {"isseen": self._columns.get("isSeen", "isSeen")}.get(field, field)
            return lambda row: compare(str(bool(row.get(column))).lower(), value.lower())
        if field in _WORDS:
            column = _WORDS[field]
            return lambda row: compare(str(row.get(column, "")).lower(), value.lower())
        raise QueryError(f"field [{word}] is not searchable")


def _date(value: Token) -> int:
    """A date given as epoch milliseconds or as a quoted day-month-year, in epoch milliseconds."""
    if value.isdigit():
        return int(value)
    for pattern in ("%d-%m-%YT%H:%M:%S", "%d-%m-%Y"):
        try:
            return epoch_ms(datetime.strptime(value, pattern).replace(tzinfo=UTC))
        except ValueError:
            continue
    raise QueryError(f"[{value}] is not a date")


def parse(query: str, *, columns: Mapping[str, str] | None = None, unknown: Collection[str] = ()) -> Test:
    """The test for a search text; an empty text matches every record. Raises QueryError when it cannot be read.

    `columns` maps a searchable name to the field of the record where the two differ. `unknown` are names that cannot be
    searched here.
    """
    tokens = tokens_of(query)
    if not tokens:
        return lambda row: True
    parser = _Query(tokens, columns or {}, unknown)
    test = parser.expression()
    if (rest := parser.peek()) is not None:
        raise QueryError(f"unexpected [{rest}]")
    return test
