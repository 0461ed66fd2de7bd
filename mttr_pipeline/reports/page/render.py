"""The page as text, from templates, style sheet and charts.

Text from a source record (markup, emoji, right-to-left text, control characters) passes through `_printable` and Jinja's
escaping. In addition, the content security policy forbids the page to load anything, and to run any other script than the one
whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mttr_pipeline.reports.document import Document
from mttr_pipeline.reports.page import changes, deploys, errors, files, names, outages, rules, verdict, words
from mttr_pipeline.reports.page.view import context

_FOLDER = Path(__file__).parent / "templates"
_SUFFIX = {"style": "css", "script": "js"}
# The text of records cannot look like this: its quotes are escaped.
_COLOURED = re.compile(r' class="([^"]*\b(?:good|fair|bad)\b[^"]*)"')
_COLOURS = {"good", "fair", "bad"}
_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n"}


def render(documents: Mapping[str, Document]) -> str:
    """The whole main page as HTML. The same documents give the same text on the same machine."""
    return page("report.html.j2", context(documents), is_red=verdict.is_red(documents))


def page(template: str, values: Mapping[str, Any], *, is_red: bool) -> str:
    """One page as HTML. Where data quality is red no verdict has a colour, whichever template or sentence gave it one."""
    text = _environment().get_template(template).render(values)
    return _COLOURED.sub(_without_colours, text) if is_red else text


def _without_colours(match: re.Match[str]) -> str:
    names = [name for name in match[1].split() if name not in _COLOURS]
    return f' class="{" ".join(names)}"' if names else ""


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
    for name in ("style", "script"):
        text = (_FOLDER / f"report.{_SUFFIX[name]}").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        environment.globals |= {name: Markup(text), f"{name}_hash": digest}
    environment.globals |= {"delivery_names": deploys.NAMES, "rules": rules}
    environment.filters |= {name: getattr(words, name) for name in words.__all__} | {
        "link": link,
        "linked": files.linked,
        "parquet": files.parquet,
        "files_of_section": files.of_section,
        "several": names.DIMENSIONS_AND_SEVERITY.__getitem__,
        "limits": verdict.limits,
        "bad_day": verdict.bad_day,
        "quiet_days": outages.quiet_days,
        "delivery": deploys.figure,
        "delivery_limits": deploys.figure_limits,
        "delivery_sample": deploys.sample,
        "deploy_name": deploys.name_of,
        "introduced": deploys.introduced,
        "error_name": errors.name_of,
        "error_reason": errors.reason,
        "class_of_issue": errors.CLASSES.__getitem__,
        "tied": errors.tied,
        "health": errors.verdict,
        "health_colour": rules.health_colour,
        "post_mortem": errors.post_mortem,
        "since": changes.since,
        "left_out": changes.left_out,
        "change_colour": rules.change_colour,
        "target_colour": rules.target_colour,
    }
    return environment


def _printable(value: Any) -> Any:
    """Text without control characters, which HTML forbids."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return value.translate(_CONTROL)
