"""Slack: incident channels, pulled by the Web API or read from an export of the workspace.

A channel is a record with a role of its own: it never tells when an incident was detected as long as anything else does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.names import Text, distinct, normalize
from mttr_pipeline.config.options import LinkedOptions, Section
from mttr_pipeline.config.values import Pattern, number
from mttr_pipeline.sources.kit.declare import Archive, Finding, GivenFiles, Source, Variable

UNREADABLE = "channels_not_readable"
PRIVATE = "private_channels_not_listed"
LATER = "channels_left_for_the_next_pull"
RESTRICTED = "restricted_app"
NO_PINS = "pins_not_readable"
NO_BOOKMARKS = "bookmarks_not_readable"
NO_USERS = "people_not_readable"
EDITED = "marks_in_edited_messages"
BULK = "channels_archived_in_bulk"
STANDING = "standing_channels"

INCIDENT_CHANNELS = "^(inc|incident|sev[0-9]|outage|ir)[-_]"
#: "Status changed from Investigating to Mitigated by Ana": the word after `to`. The tools do not document their wording.
CHANGED = (
    r"(?i)\b(?:status|severity)\b[^\n]{0,80}?\bto:?\s+([a-z0-9]+(?:[ -][a-z0-9]+){0,3}?)"
    r"(?:\s+(?:by|at|on|in|from)\b|\s*[^a-z0-9 -]|\s*$)"
)
_TOOLS = {
    "incident.io": (CHANGED,),
    "Rootly": (CHANGED,),
    "FireHydrant": (CHANGED,),
}


def _of_python(value: str) -> str:
    """Names of channels are compared before anything is in a database."""
    try:
        re.compile(value)
    except re.error:
        raise ValueError("must be a regular expression that Python and DuckDB read, like '^inc-'") from None
    return value


def _one_group(value: str) -> str:
    if re.compile(value).groups != 1:
        raise ValueError("must have one group, which is the new status or severity, like 'status: (.+)'")
    return value


NamePattern = Annotated[Pattern, AfterValidator(_of_python)]
WordPattern = Annotated[Pattern, AfterValidator(_of_python), AfterValidator(_one_group)]


class SlackOptions(LinkedOptions):
    """What `[sources.slack]` may say."""

    channels: tuple[NamePattern, ...] = Field(
        (INCIDENT_CHANNELS,),
        min_length=1,
        description="which channels are those of incidents: regular expressions for the name, or an earlier name, of a channel",
    )
    private_channels: bool = Field(
        True, description="reads private channels too, as far as the app is a member of them"
    )
    standing: tuple[NamePattern, ...] = Field(
        (),
        description="channels among them that are no incident, such as `^inc-general$`: regular expressions for the name",
    )
    standing_days: Annotated[int, number("days", 1, whole=True)] = Field(
        7,
        description="a channel in which people wrote on more than this many days is no incident either; the data quality tells",
    )
    quiet_days: Annotated[int, number("days", 1, whole=True)] = Field(
        90,
        description="a channel in which nothing was said for this many days is not read again until its name, topic or archiving "
        "changes",
    )
    edited_marks: Literal["sent", "edited"] = Field(
        "sent",
        description="which time counts for a mark such as `Mitigated:` in a message that was edited more than 5 minutes after it "
        "was sent",
    )
    tools: Annotated[dict[Text, tuple[WordPattern, ...]], AfterValidator(distinct)] = Field(
        default_factory=dict,
        description="name, bot id or app id of a bot that tells of status and severity -> regular expressions for its messages, "
        "whose group is the new one; the bots of incident.io, Rootly and FireHydrant are known",
    )

    def sql_settings(self) -> Iterator[tuple[str, str, str]]:
        """See SourceOptions."""
        yield from (("channel", "", pattern) for pattern in self.channels)
        yield from (("standing", "", pattern) for pattern in self.standing)
        yield "standing_days", "", str(self.standing_days)
        yield "edited_marks", "", self.edited_marks
        own = {normalize(bot) for bot in self.tools}
        tools = {bot: patterns for bot, patterns in _TOOLS.items() if normalize(bot) not in own} | self.tools
        yield from (("tool", bot, pattern) for bot, patterns in tools.items() for pattern in patterns)


class SlackAccess(Section):
    """Token and address of one workspace."""

    token: SecretStr
    url: str


def read_access(environment: Environment) -> SlackAccess | None:
    """Token and address of the workspace; None when no token is set. Raises ConfigError for a wrong address."""
    token = environment.secret("TOKEN")
    if token is None:
        return None
    return SlackAccess(token=token, url=environment.address("API_URL", "https://slack.com/api"))


def _is_export(names: Collection[str]) -> bool:
    from mttr_pipeline.sources.slack import export

    return export.recognises(names)


def _export(files: GivenFiles, options: SlackOptions) -> Iterator[tuple[str, bytes]]:
    from mttr_pipeline.sources.slack import export

    return export.lines(files, options)


SOURCE = Source(
    name="slack",
    title="Slack",
    role="channel",
    yields=("records", "events", "links", "responders", "words", "findings"),
    options=SlackOptions,
    words={
        "severity": {"SEV0": "SEV1", "SEV5": "SEV4"},
        "status": {"Triage": "investigating", "Fixing": "investigating", "Started": "detected"},
    },
    variables=(
        Variable("TOKEN", "bot or user token of an internal app of your own workspace", secret=True),
        Variable("API_URL", "default `https://slack.com/api`"),
    ),
    credentials="{TOKEN}",
    read_access=read_access,
    connect="mttr_pipeline.sources.slack.pull:Slack",
    archive=Archive(
        recognises=_is_export,
        lines=_export,
        nouns={"channels": "incident channel", "messages": "message", "pins": "list of pins", "users": "name"},
        nothing="no channel has the name of an incident channel, see channels in [sources.slack]",
    ),
    findings={
        UNREADABLE: Finding(
            "warn",
            "incident channels that the app may not read, so that nothing of them is in a figure: invite it to them, those that are "
            "archived before that come by an export only; the manifest of the pull names them",
        ),
        PRIVATE: Finding(
            "warn",
            "pulls that could not list private channels, because the app lacks the scope groups:read: these are in no figure",
            newest=True,
        ),
        LATER: Finding(
            "warn",
            "incident channels that the newest pull had no time for: Slack restricts the app to 15 messages a request and one "
            "request a minute. The next pull goes on with them; an internal app is not restricted",
            newest=True,
        ),
        RESTRICTED: Finding(
            "warn",
            "pulls by an app that Slack restricts to 15 messages a request and one request a minute: make an internal app in your "
            "own workspace, see docs/slack.md",
            newest=True,
        ),
        NO_PINS: Finding("info", "channels whose pins the app may not read: it lacks the scope pins:read"),
        NO_BOOKMARKS: Finding(
            "info", "channels whose bookmarks the app may not read: it lacks the scope bookmarks:read"
        ),
        NO_USERS: Finding(
            "info",
            "people whose names the app may not read, so that they are somebody else than in other tools: it lacks users:read",
        ),
        EDITED: Finding(
            "warn",
            "messages that set a stamp and were edited more than five minutes after they were sent: what they say now may have been "
            "written later than the stamp (edited_marks)",
        ),
        BULK: Finding(
            "info",
            "channels that somebody archived together with at least four others within ten minutes: that is no close of their "
            "incidents",
        ),
        STANDING: Finding(
            "warn",
            "channels with the name of an incident channel in which people wrote on so many days that they are taken for standing "
            "ones and for no incident: name them in standing, or raise standing_days",
        ),
    },
)
