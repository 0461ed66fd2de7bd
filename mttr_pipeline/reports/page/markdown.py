"""The top of the page as Markdown with one chart, for places that cannot show HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from markupsafe import Markup

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import charts, outages, verdict
from mttr_pipeline.reports.page.view import has_data, weeks_of

_WIDTH = 640


def markdown(documents: Mapping[str, Document]) -> str:
    """The first sentences, the cards, downtime, and the trend as an inline PNG."""
    cards = (
        f"- **{card.title}**: {_plain(card.figure)}. {' '.join(map(_sentence, (*card.texts, *card.more)))}"
        for card in verdict.cards(documents)
    )
    parts = [
        _plain(verdict.warning(documents)),
        _plain(verdict.lead(documents["summary"])),
        _plain(verdict.attention(documents)),
        "\n".join(cards),
        " ".join(_plain(line) for line in outages.lines(documents["comparisons"])),
    ]
    weeks = weeks_of(documents["trend"])
    if has_data(weeks):
        picture = base64.b64encode(charts.png(charts.trend(weeks)(_WIDTH))).decode()
        parts.append(f"![typical recovery by week, last 90 days](data:image/png;base64,{picture})")
    return "\n\n".join(filter(None, parts))


def _plain(text: Markup | str) -> str:
    """The text without tags, escaped for Markdown."""
    plain = text.striptags() if isinstance(text, Markup) else text
    return plain.translate({ord(sign): f"\\{sign}" for sign in "\\`*_[]<>#|"})


def _sentence(text: Markup | str) -> str:
    plain = _plain(text)
    return plain if plain.endswith(".") else f"{plain}."
