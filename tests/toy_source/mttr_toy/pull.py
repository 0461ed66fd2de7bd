"""Toy Tickets API: `GET /tickets` lists tickets by creation or by change, each with its history.

Stream: tickets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import Page
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title
from mttr_pipeline.sources.kit.windows import Window, iso
from mttr_toy import ToyAccess, ToyOptions

PAGE = 25  # the largest page
CEILING = 100  # the highest offset + limit
WIDEST = timedelta(days=90)  # of one window


class Toy(HttpSource[ToyOptions]):
    """One account."""

    def __init__(self, name: str, access: ToyAccess, options: ToyOptions, *, variables: Callable[[str], str]) -> None:
        token = access.token.get_secret_value()
        client = HttpClient(
            access.url,
            instance_title("Toy Tickets", "toy", name),
            options,
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            address_variable=variables("API_URL"),
            remedies={401: f"check {variables('TOKEN')}"},
        )
        super().__init__(name, options, client)

    @property
    def scope(self) -> dict[str, Any]:
        """The queue: with another one, the history is read again."""
        return {"queue": self.options.queue}

    def check(self) -> str:
        """Ask for one ticket, with the total."""
        page = get_page(self._client, {**self.scope, "limit": 1})
        return f"ok: {self.title} reachable at {self._client.host}, {page.total} tickets"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return ToyPull(self._client, self.options, plan, extract, progress)


class ToyPull(Pull):
    """One extract under way."""

    def run(self) -> None:
        plan = self._plan
        kind, window = "created", plan.window
        if plan.incremental:
            kind, window = "changed", Window(min(self._changed_since, plan.until), plan.until)
        self._runner.run(self._runner.window_tasks("tickets", kind, window, self._land, widest=WIDEST))

    def _land(self, window: Window, key: str) -> list[Task]:
        kind = key.partition(" ")[0]
        range_ = {f"{kind}_since": iso(window.since), f"{kind}_until": iso(window.until)}

        def page(offset: int) -> Page:
            return get_page(self._client, {**self._plan.scope, **range_, "limit": PAGE, "offset": offset})

        can_split = window.seconds > 1
        self._runner.land_pages("tickets", key, page, ceiling=CEILING, split_above=CEILING, can_split=can_split)
        return []


def get_page(client: HttpClient, params: Mapping[str, Any]) -> Page:
    """One page of tickets, each as it was sent."""

    def parse(body: bytes) -> Page:
        found = envelope.members(body)
        tickets = envelope.items(envelope.required(found, "tickets"))
        return Page(tickets, envelope.decode(found.get("more")) is True, envelope.decode_int(found.get("total")))

    return client.get("/tickets", params, parse=parse)
