/*
description = """Failed deployment recovery time: Kaplan-Meier median per window and scope member that has an observation. Deploys whose incidents are
still open count as lasting at least until as_of."""
python = "mttr_pipeline.metrics.deploys:recoveries"
depends = ["figures.deploy_observations"]
not_null = ["window_id", "member_id", "n_events", "n_open"]
unique = [["window_id", "member_id"]]

[assert]
limits_are_ordered = "recovery_median_low <= recovery_median_minutes AND recovery_median_minutes <= recovery_median_high"

[columns]
window_id = "window, as in core.windows"
member_id = "member, as in core.delivery_members"
recovery_median_minutes = "median minutes; NULL when not reached"
recovery_median_low = "lower 95 % limit (log-log); NULL when it does not exist"
recovery_median_high = "upper 95 % limit (log-log); NULL when it does not exist"
recovery_text = "the median as text; `> 812 min` when it is not reached within the longest observation"
n_events = "failed deploys that were recovered from"
n_open = "failed deploys with an incident that is still open"
*/
SELECT
    window_id::BIGINT AS window_id,
    member_id::BIGINT AS member_id,
    median AS recovery_median_minutes,
    low AS recovery_median_low,
    high AS recovery_median_high,
    recovery_text(median, longest) AS recovery_text,
    n_events::BIGINT AS n_events,
    n_open::BIGINT AS n_open
FROM computed
