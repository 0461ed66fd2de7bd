"""The page as text, from templates, style sheet and charts.

Text from a source record (markup, emoji, right-to-left text, control characters) passes through `_printable` and Jinja's
escaping. In addition, the content security policy forbids the page to load anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import changes, rules, verdict, words
from mttr_pipeline.reports.page.view import context

_FOLDER = Path(__file__).parent / "templates"
_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n"}


def render(documents: Mapping[str, Document]) -> str:
    """The whole page as HTML. The same documents give the same text on the same machine."""
    style = (_FOLDER / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(**context(documents), style=Markup(style), style_hash=digest)
    )


def link(url: str | None) -> str | None:
    """`url` if it is safe to link: http or https with a host. Else None."""
    try:
        parts = urlsplit(url or "")
        return url if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters |= {name: getattr(words, name) for name in words.__all__} | {
        "link": link,
        "limits": verdict.limits,
        "bad_day": verdict.bad_day,
        "since": changes.since,
        "left_out": changes.left_out,
        "change_colour": rules.change_colour,
        "target_colour": rules.target_colour,
    }
    return environment


def _printable(value: Any) -> Any:
    """Text without control characters, which HTML forbids."""
    return value.translate(_CONTROL) if isinstance(value, str) and not isinstance(value, Markup) else value
