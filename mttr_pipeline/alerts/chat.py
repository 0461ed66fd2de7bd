"""An incoming webhook of Slack, and of what understands the same (Mattermost, Rocket.Chat)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import SecretStr

from mttr_pipeline.alerts.messages import Message
from mttr_pipeline.alerts.posting import post
from mttr_pipeline.config.alert_places import CHAT, PREFIX

#: Slack asks for at most 4,000 characters a message, and cuts off behind 40,000.
MOST_CHARACTERS = 3_900
#: The three characters that Slack gives a meaning to: links, and calls of people and channels (<!channel>).
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class Chat:
    """A channel."""

    address: SecretStr
    name: str = "slack"
    title: str = "Slack"

    def send(self, message: Message) -> None:
        """Post the message. Raises TransientError or PermanentError."""
        post(self.address, self.title, f"{PREFIX}_{CHAT}", json.dumps(body(message), ensure_ascii=False).encode())


def body(message: Message) -> dict[str, object]:
    """Plain text: names of services are no markup, and nothing in them calls anybody. What is too long is cut between lines."""
    lines = [message.title.translate(_ESCAPES)]
    rest = [line.translate(_ESCAPES) for line in message.lines]
    end = "Too long for one message; `mttr alerts` lists all."
    while rest and sum(map(len, (*lines, rest[0], end))) + 2 * len(lines) + 4 < MOST_CHARACTERS:
        lines.append(rest.pop(0))
    return {"text": "\n\n".join([*lines, end] if rest else lines), "mrkdwn": False, "unfurl_links": False}
