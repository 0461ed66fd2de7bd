"""What `mttr doctor` asks of a workspace: who the app is, which scopes it has, and whether Slack restricts it.

What does not belong here: what a pull reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.slack import SlackOptions
from mttr_pipeline.sources.slack.calls import PER_PAGE, RESTRICTED_ROWS, ListPage, SlackRefused, Web
from mttr_pipeline.sources.slack.channels import Channel, Names, channel_of

NEEDED = ("channels:read", "channels:history")
#: Scope -> what is not read without it.
USEFUL = {
    "groups:read": "private channels",
    "groups:history": "messages of private channels",
    "pins:read": "pins",
    "bookmarks:read": "bookmarks",
    "users:read": "names of people",
}


def check(web: Web, title: str, options: SlackOptions) -> str:
    """One line for people. Raises PermanentError when nothing can be read."""
    found, headers = web.fetch("auth.test")
    workspace = envelope.decode_text((found or {}).get("team")) or "a workspace"
    scopes = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")} - {""}
    if scopes and (missing := [scope for scope in NEEDED if scope not in scopes]):
        raise PermanentError(
            f"{title}: the app lacks the scopes {' and '.join(missing)}; add them to the app, and install it again."
        )
    lacking = [f"{scope} ({what})" for scope, what in USEFUL.items() if scopes and scope not in scopes]
    channels = _channels(web, options, is_private="groups:read" in scopes or not scopes)
    said = f"ok: {title} reachable at {web.client.host}, {len(channels):,} incident channels in {workspace}"
    if lacking:
        said += f"; without the scope {', '.join(lacking)}"
    unreadable, page = _first_page(web, channels)
    if unreadable:
        said += f"; the app is no member of {unreadable[0].name}, so its messages cannot be read: invite it"
    if page and page.following and len(page.rows) == RESTRICTED_ROWS:
        said += (
            f"; Slack restricts this app to {RESTRICTED_ROWS} messages a request and one request a minute: make an internal app in "
            "your own workspace, see docs/slack.md"
        )
    return said


def _channels(web: Web, options: SlackOptions, *, is_private: bool) -> list[Channel]:
    """The incident channels, the newest first."""
    names, found = Names(options.channels), list[Channel]()
    private = is_private and options.private_channels
    params = {"types": "public_channel,private_channel" if private else "public_channel", "limit": 999}

    def keep(rows: Iterable[bytes]) -> None:
        found.extend(channel for row in rows if (channel := channel_of(row)) and names.fit(channel))

    web.read("conversations.list", "channels", params, keep)
    return sorted(found, key=lambda channel: -channel.created)


def _first_page(web: Web, channels: list[Channel]) -> tuple[list[Channel], ListPage | None]:
    """The channels among the newest three that cannot be read, and the messages of the first one that goes on."""
    unreadable, page = [], None
    for channel in channels[:3]:
        try:
            page = web.page("conversations.history", "messages", {"channel": channel.id, "limit": PER_PAGE})
        except SlackRefused as error:
            if error.error not in ("not_in_channel", "channel_not_found"):
                raise
            unreadable.append(channel)
            continue
        if page.following:
            break
    return unreadable, page
