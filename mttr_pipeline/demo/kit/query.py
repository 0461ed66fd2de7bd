"""AND, OR, NOT and parentheses over clauses: the grammar that the vendors' search languages share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Record = Any
Test = Callable[[Record], bool]

_TOKEN = re.compile(
    r"""\s*(?: (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
             | (?P<op>>=|<=|!=|!~|>|<|=|~|:|\(|\)|,)
             | (?P<word>[^\s"'()<>=!~,:]+) )""",
    re.VERBOSE,
)


class QueryError(ValueError):
    """The text is not a query, or it names something that does not exist."""


class Token(str):
    """A word, an operator or a string without its quotes; `quoted` is true for a string."""

    quoted: bool = False


def tokens_of(text: str) -> list[Token]:
    """Split a query."""
    found: list[Token] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if not match:
            raise QueryError(f"Error in the query: unexpected character at position {place + 1}.")
        raw = match["string"]
        token = Token(re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw else match[0].strip())
        token.quoted = raw is not None
        found.append(token)
        place = match.end()
    return found


class Parser:
    """A recursive descent parser; each language adds `clause`."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.place = 0

    def peek(self) -> Token | None:
        """The next token, if there is one."""
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self) -> Token:
        """Consume the next token."""
        token = self.peek()
        if token is None:
            raise QueryError("Error in the query: it ends too early.")
        self.place += 1
        return token

    def accept(self, *words: str) -> bool:
        """Consume the next tokens if they are these words, whatever their case."""
        ahead = self.tokens[self.place : self.place + len(words)]
        if [token.lower() for token in ahead] != list(words) or any(token.quoted for token in ahead):
            return False
        self.place += len(words)
        return True

    def expression(self) -> Test:
        """clause (OR clause)*, where AND binds closer."""
        tests = [self._conjunction()]
        while self.accept("or"):
            tests.append(self._conjunction())
        return tests[0] if len(tests) == 1 else lambda record: any(test(record) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._term()]
        while self.accept("and"):
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)

    def _term(self) -> Test:
        if self.accept("not"):
            inner = self._term()
            return lambda record: not inner(record)
        if self.accept("("):
            inner = self.expression()
            if not self.accept(")"):
                raise QueryError("Error in the query: a ')' is missing.")
            return inner
        return self.clause()

    def clause(self) -> Test:
        """One comparison of the language."""
        raise NotImplementedError


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    ":": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
