"""The fixed words of the incident model: severities, stamps, events, phases and the calculations between stamps.

METRICS of the incident model. What does not belong here: words of vendors (`vocabulary`), anything a user can set.
"""

from __future__ import annotations

from typing import Literal, get_args

Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
Stamp = Literal[
    "occurred_at",
    "detected_at",
    "acknowledged_at",
    "investigating_at",
    "root_cause_found_at",
    "mitigated_at",
    "resolved_at",
    "closed_at",
]
FieldTarget = Literal[
    Stamp,
    "severity",
    "service",
    "team",
    "root_cause_category",
    "affected_users",
    "revenue_impact",
    "major_incident",
    "responders",
    "linked_incident",
    "introduced_by",
    "detected_by",
    "test_added",
]
EventType = Literal[
    "occurred",
    "detected",
    "acknowledged",
    "investigating",
    "root_cause_found",
    "mitigated",
    "resolved",
    "closed",
    "reopened",
    "paused",
]
#: What the resolution of a record makes of it.
Resolution = Literal["incident", "false_alarm", "duplicate"]
#: What the type of a record makes of it: an incident, what was learned from one, or nothing that counts here.
RecordType = Literal["incident", "post_mortem", "other"]
#: Who or what noticed an incident first.
DetectionSource = Literal["monitor", "customer", "employee", "release", "unknown"]
#: What the name of an environment stands for: users are there, or not.
EnvironmentKind = Literal["production", "other"]
#: What a source is for. A pager notifies somebody, a ticket is assigned, a machine alert has no responder, a channel is talk.
#: Deploys are no incidents.
Role = Literal["pager", "ticket", "machine alert", "channel", "deploys"]
#: The kinds of links that may join two records, the most reliable first.
LinkReason = Literal["vendor", "url", "key", "text", "dedup"]
TargetPhase = Literal["detection", "acknowledgment", "investigation", "mitigation"]
Phase = Literal[TargetPhase, "resolution", "closure"]

STAMPS: tuple[Stamp, ...] = get_args(Stamp)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
LINK_REASONS: tuple[LinkReason, ...] = get_args(LinkReason)
LIFECYCLE_ONLY: Phase = "resolution"  # in the coarse model the mitigation goes on until resolved_at
FIXED_VARIANTS: dict[str, tuple[Stamp, Stamp]] = {
    "basic": ("detected_at", "resolved_at"),
    "service_restore": ("detected_at", "mitigated_at"),
    "full_recovery": ("detected_at", "closed_at"),
}
#: Phase model, order, phase, and the places of its two stamps among the eight.
PHASES: tuple[tuple[str, int, Phase, int, int], ...] = (
    ("lifecycle", 1, "detection", 1, 2),
    ("lifecycle", 2, "acknowledgment", 2, 3),
    ("lifecycle", 3, "investigation", 3, 5),
    ("lifecycle", 4, "mitigation", 5, 6),
    ("lifecycle", 5, "resolution", 6, 7),
    ("lifecycle", 6, "closure", 7, 8),
    ("coarse", 1, "detection", 1, 2),
    ("coarse", 2, "acknowledgment", 2, 3),
    ("coarse", 3, "investigation", 3, 6),
    ("coarse", 4, "mitigation", 6, 7),
    ("coarse", 6, "closure", 7, 8),
)
