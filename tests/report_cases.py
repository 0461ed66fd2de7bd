"""Histories of custom records that are thin or odd, with their documents, their page and its Markdown."""

from __future__ import annotations

import functools
import pickle
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
from sharing import made_once
from support import AS_OF, door

from mttr_pipeline import reports
from mttr_pipeline.publish import publish
from mttr_pipeline.reports.schemas import schema

ODD_TITLE = "<script>alert(1)</script> \"x\" & 'y' \x07\x1b \u202eright to left \u05d0\u05d1 \N{PILE OF POO} {{ 7 * 7 }} {% raw %}"


def ago(**span: float) -> str:
    return (AS_OF - timedelta(**span)).isoformat()


def incident(name: str, *, days: float, minutes: float | None, **more: Any) -> dict[str, Any]:
    """A custom record that began so many days ago and lasted so long."""
    ends = {} if minutes is None else {"resolved_at": ago(days=days, minutes=-minutes)}
    return {"external_id": name, "detected_at": ago(days=days), "severity": "SEV2", "service": "shop", **ends, **more}


MANY_SERVICES = [
    *(
        "Shop!",
        "shop",
        "(SHOP)",
        "sh\u00f6p",
        "../../etc/passwd",
        "con",
        "a/b\\c <i>\"'&",
        "\u65e5\u672c",
        ".",
        "x" * 300,
        "shop-950a3ecf",
    ),
    *(f"service {number}" for number in range(14)),
]

HISTORIES: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "one": [incident("a", days=3, minutes=20)],
    "only open": [incident(f"o{number}", days=number + 1, minutes=None) for number in range(8)],
    "only invalid": [incident(f"i{number}", days=number + 1, minutes=-30) for number in range(8)],
    "only old": [incident(f"old{number}", days=200 + number, minutes=30) for number in range(8)],
    "odd": [
        *(incident(f"n{number}", days=number / 2 + 1, minutes=30 + 7 * number) for number in range(30)),
        incident(
            "markup", days=4, minutes=9000, title=ODD_TITLE, url="https://example.test/?a=1&b=<2>", service="<b>x</b>"
        ),
        incident("script", days=5, minutes=9000, title="a script", url="javascript:alert(1)", team="a|b`c"),
        incident("data", days=6, minutes=9000, title="data", url="data:text/html,<script>alert(1)</script>"),
        incident("known as 9", days=8, minutes=9000),
        incident(
            "long",
            days=7,
            minutes=9000,
            title="KubePodCrashLooping:" + "namespace=payments-production," * 9,
            service="arn:aws" * 30,
        ),
        incident("twin 1", days=9, minutes=40, title="Checkout: <i>down</i>", url="https://example.test/twin"),
        incident("twin 2", days=9, minutes=41, title="checkout I broken?", url="javascript:alert(2)"),
    ],
    # Less than five a week, one still open: no week has a figure, all have incidents.
    "thin": [
        incident(f"t{number}", days=2 * number + 1, minutes=30 + number if number % 9 else None) for number in range(40)
    ],
    # Most are ten times as fast as in the month before, three are still open.
    "moving apart": [
        *(incident(f"now{number}", days=20 - number / 24, minutes=10) for number in range(20)),
        *(incident(f"open{number}", days=20 - number / 24, minutes=None) for number in range(3)),
        *(incident(f"before{number}", days=50 - number / 24, minutes=60) for number in range(23)),
    ],
    # More services than the page shows well, some with names that are no file names; the old ones had no incident for a month.
    # Shop! has more breaches than a page lists.
    "many": [
        *(
            incident(
                f"{place}-{number}",
                days=(40 if place % 4 == 3 else 1) + 3 * number,
                minutes=60 + place,
                service=name,
                team=f"team {place % 2}",
            )
            for place, name in enumerate(MANY_SERVICES)
            for number in range(2 if name == "service 13" else 7)
        ),
        *(
            incident(f"late{number}", days=number + 1, minutes=900, service="Shop!", team="team 0")
            for number in range(12)
        ),
    ],
    "all alike": [
        incident(f"{days}-{number}", days=days - number / 24, minutes=60) for days in (20, 50) for number in range(20)
    ],
    "timeouts": [
        incident(
            f"e{number}",
            days=number + 1,
            minutes=20 if number < 6 else 240,
            **({} if number < 6 else {"resolution_kind": "timeout"}),
        )
        for number in range(20)
    ],
}


@functools.cache
def rendered(name: str) -> tuple[dict[str, Any], str, str]:
    """Documents, page and Markdown of a history."""
    return pickle.loads((made_once(f"history {name}", partial(_render, name)) / "rendered").read_bytes())


def _render(name: str, folder: Path) -> None:
    with door(folder, HISTORIES[name]) as warehouse:
        documents = reports.documents(warehouse.con)
    made = documents, reports.render(documents), reports.markdown(documents)
    (folder / "rendered").write_bytes(pickle.dumps(made))


@functools.cache
def published_twice() -> tuple[Path, Path]:
    """Two generations of the company with many services, from the same tables."""
    folder = made_once("history many, published", _publish_twice)
    return folder / "published/run-a", folder / "published/run-b"


def _publish_twice(folder: Path) -> None:
    with door(folder, HISTORIES["many"]) as warehouse:
        for run_id in ("run-a", "run-b"):
            publish(warehouse, folder / "published", run_id)


def errors(name: str, document: Any) -> list[str]:
    """Why the document is not valid; empty if it is."""
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(name))


class Reader(HTMLParser):
    """Text of the page without style and script, its tags with attributes, and its headings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._silent = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]
