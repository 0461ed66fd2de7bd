"""The words of the page, explained for people who do not read definitions."""

TERMS = (
    (
        "Typical recovery",
        "The time within which half of the incidents were over, from detected to resolved: the Kaplan-Meier median. "
        "Incidents that are still open count as lasting at least until now. Leaving them out would make the newest weeks look "
        "better than they are.",
    ),
    ("Bad day", "The time that one incident in ten exceeds. Shown from 10 incidents that have ended."),
    (
        "95 % limits",
        "The range in which the true value lies in 95 of 100 such reports. Few incidents give a wide range; where no upper end "
        "is given, too few have ended to say.",
    ),
    (
        "Change",
        "Called faster or slower only when chance is an unlikely cause: q below 0.05 after allowing for the number of "
        "comparisons made. With 20 incidents a month and nothing changed, the mean still moves by more than a fifth in three "
        "of four months.",
    ),
    ("n", "How many incidents stand behind a figure. Below the number that a figure needs, it is not shown."),
    (
        "Not mature",
        "A week of which an incident is still open. Its figures will grow when that incident ends.",
    ),
    (
        "Target",
        "The time within which an incident of a severity should be over. An open incident past its target counts as missed, one "
        "still in time is left out until it ends. The goal is 95 % within target.",
    ),
    (
        "Phases",
        "Detection: from the start of the impact to the first alarm. Acknowledgment: until somebody takes it. Investigation: until "
        "the cause is known. Mitigation: until users have service again. Resolution: until it is over. Where causes are "
        "rarely recorded, the coarse model is used: investigation lasts until users have service again, mitigation until "
        "it is over.",
    ),
    (
        "Mean and median",
        "The mean is the sum of minutes divided by n; a few long incidents dominate it. The median is the middle one. The longest "
        "incidents (over a week, unless set otherwise) are left out of means and of the phases, never of typical recovery and "
        "of targets.",
    ),
    (
        "Counted",
        "Real incidents once each: duplicates, false alarms, tests and maintenance are left out. A window counts the incidents that "
        "were detected in it.",
    ),
)
