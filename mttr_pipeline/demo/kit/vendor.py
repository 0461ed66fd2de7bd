"""How a simulated vendor declares itself: `Vendor` is one API that is served, `Sender` a program that sends webhook bodies, `Tool`
one kind of record with a history.

Each folder beside `kit` holds one vendor and offers `SIMULATORS`, a tuple of `Vendor`, or `SENDERS`, a tuple of `Sender`. The
registry finds them there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mttr_pipeline.demo.facts import Case
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.wire import Simulator

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """One kind of record, the incidents that happen in it, and what its records can show.

    The history is generated from these values; to change one changes the history of this tool, and of no other.
    """

    #: The name of the tool in `World.volumes`, `Case.tool` and `Truth.tool`.
    name: str
    #: The name of the source under which the pipeline publishes the records.
    source: str
    #: The `tool` of the services in the company's roster that these records are about; empty where there is no history.
    watches: str
    #: How many records exist at the present of a default world.
    volume: int
    #: The share of each story; "plain" takes the rest.
    stories: Mapping[str, float]
    #: Makes the id of a record from 32 hexadecimal digits, its place in the history and its creation.
    record_id: Callable[[str, int, datetime], str]
    #: The place of the tool's cases in `World.cases`; tools of equal order go by name.
    order: int = 100
    #: The resolution of the vendor's clock.
    tick: timedelta = timedelta(milliseconds=1)

    # -- how people use it --

    #: A service desk: slower than a pager.
    is_desk: bool = False
    #: Closing a record is a step of its own, some days after the resolve.
    has_close: bool = False
    #: The share of found causes and mitigations that people write down.
    written_share: float = 0.68
    #: The share of records where somebody fills the field for the start of the impact; 0 when there is no such field.
    impact_start_share: float = 0.0
    #: The share of severe incidents where somebody fills the fields for affected users and lost revenue.
    cost_share: float = 0.0
    #: The worst incidents are declared major incidents.
    declares_major: bool = False
    #: What may happen to old records in the day after the present, beside acknowledgement, resolve, change of priority and
    #: deletion: the kind of fact, and the values to choose from where the kind has a value.
    late_changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    # -- what the records show --

    #: The facts that count as acknowledgement.
    taken_by: tuple[str, ...] = ("acknowledged",)
    #: The stages between acknowledgement and resolve whose start the records show.
    stages: tuple[str, ...] = ("root_cause", "mitigated")
    #: Every record names its team; otherwise only major incidents do.
    names_team: bool = True
    #: The records have a field for the severity, which the priority does not override.
    has_severity: bool = False
    #: The start of the impact is never empty: without a better value it is the creation.
    impact_start_is_creation: bool = False
    #: The address of a record's page, by which other tools name it.
    page: Callable[[Case], str] | None = None
    #: The tool whose alerts belong to its records, where the vendor keeps that.
    raises: str = ""
    #: Of a monitor, whose records end by themselves: the key that its alerts about the service of a pager's record are grouped by.
    #: Only a monitor has one.
    group_key: Callable[[Case], str] | None = None
    #: Of a monitor: the deduplication key by which a pager knows a group of that key.
    page_key: Callable[[str], str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vendor:
    """One simulated API."""

    #: The path prefix under which it is served, and its name in limits, faults and logs.
    name: str
    #: The source of the pipeline that pulls it.
    source: str
    #: The rate limit that the vendor documents.
    documented: Limit
    #: The rate limit of the demonstration: reached without a wait of a minute.
    demo: Limit
    #: Makes the simulator that serves the records of a world.
    from_world: Callable[[World], Simulator]
    #: The tools whose records it serves; none for a vendor that keeps no incidents.
    tools: tuple[Tool, ...] = ()
    #: The services that are deployed with it.
    deploys: tuple[str, ...] = ()
    #: Its place among the vendors. Of two that set the same environment variables, the first is offered.
    order: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """One program that cannot be asked and sends webhook bodies instead."""

    name: str
    #: The source of the pipeline that its bodies belong to.
    source: str
    #: The tools whose records it tells of; none for one that tells of deploys.
    tools: tuple[Tool, ...]
    #: Makes the bodies of what it tells of in a world, each with the instant when it is sent.
    bodies: Callable[[World], list[tuple[datetime, bytes]]]
    #: The services whose deploys it tells of.
    deploys: tuple[str, ...] = ()
