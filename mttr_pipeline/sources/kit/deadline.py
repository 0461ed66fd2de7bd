"""How long a pull may take, and the sentence for one that took longer.

What does not belong here: what is waited for (`http`, `runner`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mttr_pipeline.errors import TransientError


class OutOfTime(TransientError):
    """A pull came to the end of its time. What was landed is kept, and the next run goes on from there."""


class Deadline:
    """An instant, and the setting that puts it there.

    seconds  from now on; may be 0
    said     the limit for people, such as `4 hours`
    setting  where it is set, such as `max_hours in [sources.acme]`
    clock    monotonic seconds
    """

    def __init__(self, seconds: float, said: str, setting: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock() + seconds
        self.said, self.setting = said, setting

    @classmethod
    def in_hours(cls, hours: float, setting: str, whose: str) -> Deadline:
        """`hours` from now on, as the time that `whose` (a pull, a run) may take."""
        return cls(hours * 3600, f"the {spoken(hours)} that {whose} may take", setting)

    def seconds_left(self) -> float:
        """Seconds until then; negative afterwards."""
        return self._at - self._clock()

    def passed(self, title: str, doing: str) -> OutOfTime:
        """The error for the source `title` that was `doing` something (`reading /incidents`) when its time was up."""
        return OutOfTime(
            f"{title}: {self.said} were over while it was {doing}; what was landed is kept, and the next run goes on from "
            f"there. Raise {self.setting} if it needs longer."
        )


def spoken(hours: float) -> str:
    """A number of hours as people say it: hours, minutes or seconds, whichever has no long fraction."""
    for size, unit in ((1, "hour"), (60, "minute"), (3600, "second")):
        if hours * size >= 1 or unit == "second":
            break
    number = f"{hours * size:.3g}" if hours * size < 1000 else f"{hours * size:,.0f}"
    return f"{number} {unit}{'' if number == '1' else 's'}"
