"""Since when recovery is faster or slower, once more: one history at a time, in fractions, written from the definition.

A history is a list of (duration, whether it ended in a recovery), in the order of detection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Observation = tuple[int, bool]


@dataclass(frozen=True)
class Change:
    """`sums` are those of the first k residuals, k from 1; `place` is the k of the largest; `p` is of no change."""

    residuals: list[Fraction]
    sums: list[Fraction]
    place: int
    p: float


def change_of(history: Sequence[Observation]) -> Change:
    """The change point of a history."""
    residuals = [int(event) - hazard(history, time) for time, event in history]
    sums = [sum(residuals[: k + 1], Fraction(0)) for k in range(len(residuals))]
    squares = sum(r * r for r in residuals)
    largest = max((abs(s) for s in sums), default=Fraction(0))
    place = next((k + 1 for k, s in enumerate(sums) if abs(s) == largest), 0)
    return Change(residuals, sums, place, kolmogorov(float(largest) / math.sqrt(squares)) if squares else 1.0)


def hazard(history: Sequence[Observation], time: int) -> Fraction:
    """The Nelson-Aalen estimate at a time: over the times up to it, the recoveries divided by those still at risk."""
    return sum(
        (
            Fraction(sum(t == step and event for t, event in history), sum(t >= step for t, _ in history))
            for step in {t for t, event in history if event and t <= time}
        ),
        Fraction(0),
    )


def kolmogorov(x: float) -> float:
    """P(sup |B| > x) of a Brownian bridge B: 2 sum over j of (-1)^(j - 1) exp(-2 j^2 x^2)."""
    if x < 0.2:  # the series needs many terms there; the probability differs from 1 by less than 1e-12
        return 1.0
    return min(1.0, max(0.0, 2 * sum((-1) ** (j - 1) * math.exp(-2 * j * j * x * x) for j in range(1, 101))))
