"""What can be told: every condition, with the words for a person. `docs/operations.md` says what to do about each.

What does not belong here: when a condition holds, which the tables say (`sql/mart/alert_conditions.sql`, `sql/mart/alerts.sql`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """A condition: its name in the tables, its title, and what is said when it is over (`{scope}` is what it is about)."""

    name: str
    title: str
    over: str

    def ended(self, scope: str) -> str:
        """The sentence that it is over."""
        return self.over.format(scope=scope)


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("run_failed", "Run failed", "Runs have gone through again for two nights."),
        Condition("job_failed", "Job failed", "Since {scope} failed, runs have gone through for two nights."),
        Condition("check_failed", "Check failed", "Runs have passed the check {scope} again for two nights."),
        Condition("source_stale", "Source is stale", "{scope} has been fresh for two nights."),
        Condition("data_quality_red", "Data quality is red", "Data quality has not been red for two nights."),
        Condition("target_missed", "Target missed", "{scope} has not clearly missed its target for two nights."),
        Condition(
            "error_budget_over", "Error budget used up", "{scope} has been within its error budget for two nights."
        ),
        Condition(
            "recovery_slower", "Recovery is slower", "Recovery ({scope}) has not been detectably slower for two nights."
        ),
        Condition(
            "abandoned_incidents",
            "Abandoned incidents",
            "Abandoned incidents have been within the limit for two nights.",
        ),
    )
}
#: The scope of a condition that is about the run itself.
RUN = "run"
