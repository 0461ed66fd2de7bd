"""The terms of the page, defined for readers who do not know the metric definitions."""

TERMS: tuple[tuple[str, str], ...] = (
    (
        "Typical recovery",
        "The time from detected to resolved within which half of the incidents are resolved: the Kaplan-Meier median. "
        "Open incidents count as lasting at least until now. Without them, the newest weeks would look better than they are.",
    ),
    ("Bad day", "The time that one incident in ten exceeds. Shown when at least 10 incidents have recovered."),
    (
        "95 % limits",
        "A range that contains the true value in 95 of 100 reports like this one. Few incidents give a wide range. If no upper "
        "limit is given, too few incidents have recovered to know it.",
    ),
    (
        "Change",
        "A change is called faster or slower only if chance is an unlikely cause: q is below 0.05 after correction for the number "
        "of comparisons. With 20 incidents a month and no real change, the mean often moves by more than a fifth.",
    ),
    (
        "n",
        "The number of incidents that a figure is based on. Typical recovery needs 5 recoveries, and a comparison 6 incidents in "
        "each period.",
    ),
    (
        "Open incidents (in a week)",
        "At least one incident of the week is still open. The figures of that week may still grow.",
    ),
    (
        "Target",
        "The time within which an incident of a severity should be resolved. An open incident past its target counts as missed. "
        "An open incident within its target does not count yet. The goal is 95 % within target.",
    ),
    (
        "Phases",
        "Detection: from the start of the impact to the first alarm. Acknowledgment: until a responder takes the incident. "
        "Investigation: until the cause is known. Mitigation: until users have service again. Resolution: until the incident is "
        "resolved. If causes are rarely recorded, the coarse model is used: investigation lasts until users have service again, "
        "mitigation until the incident is resolved.",
    ),
    (
        "Abandoned",
        "An incident that is open, with neither an event nor an update at the vendor for a week (configurable). Nobody knows "
        "whether it is over. Unless it was mitigated, its downtime ends at its last event and counts apart.",
    ),
    (
        "Mean and median",
        "The mean is the sum of the minutes divided by n; a few long incidents dominate it. The median is the middle value. "
        "Outliers (over a week by default) are excluded from means and from phases. They are included in typical recovery and "
        "in targets.",
    ),
    (
        "Counted incidents",
        "Each real incident counts once. Duplicates, false alarms, tests and maintenance do not count. A period contains the "
        "incidents that were detected in it. If no detection is known, the first stamp counts.",
    ),
)
#: Of the section Errors, where there is one.
ERRORS: tuple[tuple[str, str], ...] = (
    (
        "Class of an issue",
        "New: first seen in the last 24 hours. Back after a resolve: its episode began with a regression. Spiking: the last 24 "
        "hours have at least ten times the events of a day of the week before, which has at least 5 a day. Else it is ongoing.",
    ),
    (
        "Fix",
        "A fix held if the first 30 minutes after it had no event. It did not hold if events came from the fixed version or a "
        "later one. Events from older versions say nothing about it.",
    ),
    (
        "Crash-free sessions",
        "The share of sessions of a release in production that did not crash. A release is called worse or better than the one "
        "before it only if chance is an unlikely cause: q is below 0.05 after correction for the number of releases. Both need "
        "100 sessions.",
    ),
)
#: Of the section Learning, where there is one.
LEARNING: tuple[tuple[str, str], ...] = (
    (
        "Post-mortem",
        "Every incident of SEV1 and SEV2 needs one, five weekdays after it was resolved. One that is not due yet is in no share.",
    ),
    (
        "Recurrence",
        "The share of incidents after which another one with the same deduplication key or root cause of the same service began "
        "within 30 days. Incidents without such a key are not asked.",
    ),
    ("Noise", "Incidents of alerts that resolved automatically and that nobody acknowledged."),
    (
        "Page",
        "A pager's first notification for a record, else the record itself at its detection. Night is from 22 to 8 h by the "
        "clocks of the team, else of the report.",
    ),
)
#: Of the section Delivery, where there is one.
DELIVERY: tuple[tuple[str, str], ...] = (
    (
        "Deployment frequency",
        "Deploys to production that ran, per day: successful ones, and those that were rolled back later. A rollback is a deploy "
        "too. Days count from the first known deploy to production on.",
    ),
    (
        "Change lead time",
        "The median time from the author date of the earliest commit that a deploy brings out first, to its finish. Shown when at "
        "least 5 deploys have known commits.",
    ),
    (
        "Change fail rate",
        "The share of deploys that introduced an incident or were rolled back. An incident is linked to a deploy that somebody or a "
        "tool names as its cause. Without that, it is linked to the latest successful deploy of its service shortly before the "
        "impact began.",
    ),
    (
        "Failed deployment recovery time",
        "The time from the finish of a deploy until the incidents that it introduced were mitigated, else resolved: the "
        "Kaplan-Meier median. Open ones count as lasting at least until now. Shown when at least 5 deploys were recovered from.",
    ),
    (
        "Deployment rework rate",
        "The share of deploys that repair: within 7 days of an incident of their service they are a rollback, or name the incident "
        "or its ticket.",
    ),
)
