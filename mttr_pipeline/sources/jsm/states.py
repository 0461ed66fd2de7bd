"""Which alerts are open, read from landed rows.

What does not belong here: requests, what follows from a state.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_search import stamp

ENDED = frozenset({"closed", "resolved"})


class _State(msgspec.Struct):
    id: str
    status: str = ""


_STATE = msgspec.json.Decoder(_State)


def may_be_open(row: bytes) -> bool:
    """Whether an alert is open, or its state cannot be read."""
    state = envelope.decode_as(_STATE, row)
    return state is None or _is_open(state)


def open_states(extract: Extract, also: AbstractSet[str]) -> dict[str, bool]:
    """Alert id -> whether the alert is open, by the newest row landed in this extract.

    Holds the alerts of which any row is open, and those of `also`. Other closed alerts are left out, so that the memory
    does not grow with the history.
    """
    newest: dict[str, tuple[float, bool]] = {}
    for key in extract.windows("alerts"):
        for row in extract.read("alerts", key):
            state = envelope.decode_as(_STATE, row)
            if state is None or not (_is_open(state) or state.id in also or state.id in newest):
                continue
            at = stamp(row, "updatedAt")
            seen = (at.timestamp() if at else 0.0, _is_open(state))
            if seen >= newest.get(state.id, (0.0, False)):
                newest[state.id] = seen
    return {alert_id: is_open for alert_id, (_, is_open) in newest.items()}


def _is_open(state: _State) -> bool:
    return state.status.lower() not in ENDED
