"""Older alerts are listed again in turns: a part of them in each pull, the whole of them in a round of several pulls.

What belongs here: which part is next. What does not: requests, landing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.sources.kit.windows import Window


class Rotation:
    """The round through the alerts that were created in `whole`.

    `state` is what the last pull left, `next_state` what this one leaves: `next` (where the next part starts), `began`
    (the high-water mark when the round began) and `known_until` (that of the round before it). All are ISO instants.
    """

    def __init__(self, state: dict[str, str], whole: Window, changed_since: datetime) -> None:
        self._state = dict(state)
        self._whole = whole
        self._changed_since = changed_since
        self.next_state = self._state

    @property
    def read_until(self) -> datetime | None:
        """The instant up to which the last round read every change; None when there was no round."""
        known_until = self._state.get("known_until")
        return datetime.fromisoformat(known_until) if known_until else None

    def skip(self) -> None:
        """This pull lists all older alerts, so the round starts again."""
        self.next_state = {}

    def next_part(self, pulls: int) -> Window:
        """The part whose turn it is in a round of `pulls` pulls; moves the round on."""
        whole = self._whole
        began = self._changed_since.isoformat()
        state = {"next": whole.since.isoformat(), "began": began, "known_until": began, **self._state}
        since = max(whole.since, datetime.fromisoformat(state["next"]))
        if since >= whole.until:
            since = whole.since
        until = min(whole.until, since + timedelta(seconds=whole.seconds // pulls + 1))
        self._state = state
        if until < whole.until:
            self.next_state = {**state, "next": until.isoformat()}
        else:  # the next round finds what changed since this one began
            self.next_state = {"next": whole.since.isoformat(), "began": began, "known_until": state["began"]}
        return Window(since, until)
