"""Fault profiles by name: which requests go wrong, how, and for how many attempts.

This module imports nothing of the demonstration, so that `mttr demo --help` can list the names. A new profile is one line in
PROFILES; `faults` knows how to fail.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. `kind` names it, as in `faults.KINDS`; `argument` belongs to the kind.

    share     the share of requests that it hits
    attempts  how many tries of each of these requests fail; None for all of them
    nth       hit exactly this request of those whose path fits, instead of a share
    path      hit only requests whose path contains this text
    """

    kind: str
    share: float = 1.0
    attempts: int | None = 1
    nth: int | None = None
    argument: float = 0.0
    path: str = ""


Profile = str | tuple[Rule, ...]

PROFILES: dict[str, tuple[Rule, ...]] = {
    "none": (),
    # Every vendor throttles once, early, and now and then a request fails the way real ones do.
    "light": (
        Rule("throttle", nth=4, argument=1),
        Rule("status", share=0.02, argument=503),
        Rule("reset", share=0.01),
        Rule("slow", share=0.03, argument=0.05),
    ),
    "heavy": (
        Rule("throttle", nth=3, argument=1),
        Rule("throttle", nth=40, argument=1),
        Rule("throttle_silent", share=0.03),
        Rule("retry_after_date", share=0.01),
        Rule("status", share=0.06, argument=503, attempts=2),
        Rule("status", share=0.03, argument=500),
        Rule("status", share=0.02, argument=408),
        Rule("truncated_json", share=0.04),
        Rule("cut", share=0.03),
        Rule("html", share=0.03),
        Rule("reset", share=0.04, attempts=2),
        Rule("repeated_row", share=0.05, attempts=None),
        Rule("repeated_token", share=0.05),
        Rule("token_refused", share=0.05),
        Rule("empty_page", share=0.03),
        Rule("shifted", share=0.05, argument=1),
        Rule("shifted", share=0.05, argument=-2),
        Rule("slow", share=0.05, argument=0.1),
    ),
    # One kind of fault at a time, for tests; an honest retry gets through.
    "latency": (Rule("slow", attempts=None, argument=0.05),),
    "slow": (Rule("slow", attempts=None, argument=0.5),),
    "reset": (Rule("reset", share=0.5),),
    "cut": (Rule("cut", share=0.5),),
    "truncated_json": (Rule("truncated_json", share=0.5),),
    "html": (Rule("html", share=0.5),),
    "repeated_rows": (Rule("repeated_row", attempts=None),),
    # Data that change while they are read.
    "rows_vanish": (Rule("shifted", argument=1),),
    "rows_appear": (Rule("shifted", argument=-1),),
    "empty_pages": (Rule("empty_page", share=0.3),),
    "repeated_token": (Rule("repeated_token", share=0.5),),
    "token_expired": (Rule("token_refused", share=0.5),),
    "deleted_while_read": (Rule("vanished", share=0.02, attempts=None),),
    "indexed_late": (Rule("indexed_late", attempts=None, argument=20, path="/search"),),
    # Refusals.
    "429": (Rule("throttle", share=0.5, argument=1),),
    "429_no_headers": (Rule("throttle_silent", share=0.5),),
    "retry_after_date": (Rule("retry_after_date", share=0.3),),
    **{str(code): (Rule("status", share=0.5, argument=code),) for code in (408, 425, 500, 502, 503, 504)},
    # Permanent faults: a retry does not help.
    "endless_token": (Rule("repeated_token", attempts=None),),
    "always_html": (Rule("html", attempts=None),),
    "unauthorized": (Rule("status", attempts=None, argument=401),),
    "forbidden": (Rule("status", attempts=None, argument=403),),
    "unavailable": (Rule("status", attempts=None, argument=503),),
    "down": (Rule("reset", attempts=None),),
}


def rules_of(profile: Profile) -> tuple[Rule, ...]:
    """The rules of a profile, given by name or as they are. Raises ValueError for a name that does not exist."""
    if not isinstance(profile, str):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"unknown fault profile {profile!r}; known: {', '.join(sorted(PROFILES))}")
    return PROFILES[profile]
