"""What one place is told in one message: lines for people, and the same as data for programs.

What does not belong here: the form that a place wants (`chat`, `webhook`, `mail`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mttr_pipeline.alerts.conditions import CONDITIONS
from mttr_pipeline.hidden import one_line, redact, without_addresses
from mttr_pipeline.told import Episode

MOST_LINES = 30  # of one message; the others are counted, and the table has them
_MOST_CHARACTERS = 700  # of one line


@dataclass(frozen=True)
class News:
    """One line: that a condition began, or that it is over."""

    episode: Episode
    is_over: bool

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return f"{'Over' if self.is_over else 'New'}: {CONDITIONS[self.episode.condition].title}"

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        said = CONDITIONS[self.episode.condition].ended(self.episode.scope) if self.is_over else self.episode.sentence
        return shown(said)

    @property
    def since(self) -> datetime:
        """The clock of the run that brought it."""
        return self.episode.ended_at if self.is_over and self.episode.ended_at else self.episode.began_at

    def data(self) -> dict[str, Any]:
        """For programs. `id` is the same when a message is repeated."""
        state = "over" if self.is_over else "began"
        identity = "\n".join((*self.episode.key[:2], self.episode.began_at.isoformat(), state))
        return {
            "id": hashlib.sha256(identity.encode()).hexdigest()[:32],
            "condition": self.episode.condition,
            "scope": shown(self.episode.scope),
            "state": state,
            "sentence": self.sentence,
            "began_at": _text(self.episode.began_at),
            "ended_at": _text(self.episode.ended_at),
        }


@dataclass(frozen=True)
class Message:
    """What is sent to a place: the kind (alerts, digest, test), a title, its lines, and what programs read besides."""

    kind: str
    title: str
    lines: tuple[str, ...]
    data: tuple[dict[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """All of it as plain text, one line under the other."""
        return "\n\n".join((self.title, *self.lines))


def of_news(news: Sequence[News]) -> Message:
    """One message for everything that is new at a place. `news` is not empty."""
    ordered = sorted(
        news, key=lambda one: (one.is_over, list(CONDITIONS).index(one.episode.condition), one.episode.scope)
    )
    began = sum(not one.is_over for one in news)
    parts = [f"{began} began"] if began else []
    parts += [f"{len(news) - began} over"] if len(news) > began else []
    title = ordered[0].title if len(news) == 1 else ", ".join(parts)
    data = tuple(one.data() for one in ordered)
    return Message("alerts", f"Incident metrics: {title}", tuple(_lines(ordered)), data)


def _lines(news: Sequence[News]) -> Iterator[str]:
    for one in news[:MOST_LINES]:
        yield f"{one.title} ({one.since:%Y-%m-%d %H:%M} UTC). {one.sentence}"
    if len(news) > MOST_LINES:
        yield f"And {len(news) - MOST_LINES:,} more; `mttr alerts` lists all of them."


def of_digest(text: str) -> Message:
    """The head of the page. Its first paragraph is the answer, so the title says only what it is."""
    return Message("digest", "Incident metrics: weekly digest", tuple(map(shown, text.split("\n\n"))))


TEST = Message("test", "Incident metrics: test", ("This is a test message of `mttr alerts --test`. Nothing is wrong.",))


def shown(text: str) -> str:
    """A text as others may read it: no secret, no address of a person, nothing that steers a terminal; lines of bounded length."""
    lines = map(one_line, without_addresses(redact(text)).split("\n"))
    return "\n".join(line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 3]}..." for line in lines)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
