"""The places that are configured. A new kind of place is a module with a `send` and a line here."""

from __future__ import annotations

import threading
from typing import Protocol

from mttr_pipeline.alerts.chat import Chat
from mttr_pipeline.alerts.mail import Mail
from mttr_pipeline.alerts.messages import Message
from mttr_pipeline.alerts.posting import SECONDS
from mttr_pipeline.alerts.webhook import Webhook
from mttr_pipeline.config.alert_places import AlertPlaces
from mttr_pipeline.errors import MttrError


class Place(Protocol):
    """Somewhere that messages go. `name` stands in the tables, `title` in sentences."""

    @property
    def name(self) -> str:
        """Its name in the tables."""

    @property
    def title(self) -> str:
        """Its name for people."""

    def send(self, message: Message) -> None:
        """Send the message once. Raises MttrError with a sentence that holds no address."""


def places_of(configured: AlertPlaces) -> list[Place]:
    """Every place that is configured."""
    found: list[Place] = []
    if configured.chat:
        found.append(Chat(configured.chat))
    if configured.webhook:
        found.append(Webhook(configured.webhook, configured.signing_key))
    if configured.mail:
        found.append(Mail(configured.mail))
    return found


def sent(place: Place, message: Message, seconds: float = SECONDS) -> str | None:
    """Send a message; gives the sentence of what went wrong, None when it arrived.

    In a thread of its own, because nothing else ends the look-up of a host name, or a server that sends a byte now and then. One
    that takes longer may still arrive, and is then repeated later.
    """
    wrong: list[str | None] = [
        f"{place.title}: it did not answer within {seconds:g} seconds; check its address and the network."
    ]

    def work() -> None:
        try:
            place.send(message)
            wrong.append(None)
        except MttrError as error:
            wrong.append(str(error))
        except Exception as error:
            # No text of it: it may name the address.
            wrong.append(f"{place.title}: unforeseen failure ({type(error).__name__}).")

    thread = threading.Thread(target=work, daemon=True, name=f"alert to {place.name}")
    thread.start()
    thread.join(seconds)
    return wrong[-1]
