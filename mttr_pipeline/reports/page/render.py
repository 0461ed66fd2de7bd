"""The page as text: template, style and charts put together.

Everything a vendor's record may hold (markup, emoji, right-to-left text, control characters) passes through `_shown` and
Jinja's escaping; the content security policy lets the page load nothing, whatever else happens.
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
from mttr_pipeline.reports.page import rules, verdict, words
from mttr_pipeline.reports.page.view import context

_FOLDER = Path(__file__).parent / "templates"
_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n"}


def render(documents: Mapping[str, Document]) -> str:
    """The whole page. The same documents give the same text on the same machine."""
    style = (_FOLDER / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(**context(documents), style=Markup(style), style_hash=digest)
    )


def link(url: str | None) -> str | None:
    """The address if it is one that may be clicked: http or https with a host."""
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
        finalize=_shown,
    )
    environment.filters |= {name: getattr(words, name) for name in words.__all__} | {
        "link": link,
        "limits": verdict.limits,
        "bad_day": verdict.bad_day,
        "change_colour": rules.change_colour,
        "target_colour": rules.colour,
    }
    return environment


def _shown(value: Any) -> Any:
    """Text without control characters, which no HTML may carry."""
    return value.translate(_CONTROL) if isinstance(value, str) and not isinstance(value, Markup) else value
