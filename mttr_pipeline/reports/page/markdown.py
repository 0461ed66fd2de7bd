"""The top of the page as Markdown with one chart, for places that cannot show HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from markupsafe import Markup

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import charts, deploys, errors, learned, outages, verdict
from mttr_pipeline.reports.page.view import has_data, weeks_of

_WIDTH = 640


def markdown(documents: Mapping[str, Document]) -> str:
    """The first sentences, the cards, downtime, the trend and the deploys as inline PNGs."""
    cards = (
        f"- **{card.title}**: {_plain(card.figure)}. {' '.join(map(_sentence, (*card.texts, *card.more)))}"
        for card in verdict.cards(documents)
    )
    parts = [
        *(_plain(part) for part in _head(documents)),
        "\n".join(cards),
        " ".join(_plain(line) for line in outages.lines(documents["comparisons"])),
    ]
    weeks = weeks_of(documents["trend"])
    if has_data(weeks):
        picture = base64.b64encode(charts.png(charts.trend(weeks)(_WIDTH))).decode()
        parts.append(f"![typical recovery by week, last 90 days](data:image/png;base64,{picture})")
    if lines := deploys.lines(documents["delivery"]):
        parts.append("\n".join(f"- {_plain(line)}" for line in lines))
        picture = base64.b64encode(charts.png(charts.deploys(documents["delivery"]["weeks"])(_WIDTH))).decode()
        parts.append(f"![deploys to production by week, last 90 days](data:image/png;base64,{picture})")
    more = [*errors.lines(documents["errors"]), *learned.lines(documents["learning"], documents["summary"])]
    parts.append("\n".join(f"- {_plain(line)}" for line in more))
    return "\n\n".join(filter(None, parts))


def plain(documents: Mapping[str, Document]) -> str:
    """The first sentences and the cards as text without any markup, in paragraphs. Every sentence of it stands on the page."""
    cards = (
        f"{card.title}: {_text(card.figure)}. {' '.join(map(_ended, map(_text, card.texts)))}".strip()
        for card in verdict.cards(documents)
    )
    return "\n\n".join(filter(None, (*map(_text, _head(documents)), *cards)))


def _head(documents: Mapping[str, Document]) -> tuple[Markup | str, ...]:
    return verdict.warning(documents), verdict.lead(documents["summary"]), verdict.attention(documents)


def _text(text: Markup | str) -> str:
    return text.striptags() if isinstance(text, Markup) else text


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _plain(text: Markup | str) -> str:
    """The text without tags, escaped for Markdown."""
    return _text(text).translate({ord(sign): f"\\{sign}" for sign in "\\`*_[]<>#|"})


def _sentence(text: Markup | str) -> str:
    return _ended(_plain(text))
