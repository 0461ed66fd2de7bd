/*
description = """The recoveries from failed deploys that survival statistics use, once per window and scope member that they belong to."""
view = true
not_null = ["window_id", "member_id", "observed_us", "is_event"]

[assert]
not_negative = "observed_us >= 0"

[columns]
window_id = "window of the deploy's finish, as in core.windows"
member_id = "all, service or team of the deploy, as in core.delivery_members"
observed_us = "microseconds until the incidents that the deploy introduced were over, or until as_of"
is_event = "whether they were over; otherwise the observation is censored"
*/
SELECT w.window_id, unnest([0, d.service_id, d.team_id]) AS member_id, d.recovered_us AS observed_us, d.is_recovered AS is_event
FROM facts.deployed AS d
JOIN core.windows AS w ON w.name = 'whole' OR (d.finished_us >= epoch_us(w.window_start) AND d.finished_us < epoch_us(w.window_end))
WHERE d.recovered_us IS NOT NULL
