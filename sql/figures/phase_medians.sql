/*
description = """Median duration of every phase, per variant, scope member and window; the outliers of the variant and negative
durations are left out. Linear at (n-1)/2 in whole microseconds, like quantile_cont."""
python = "mttr_pipeline.metrics.medians:published"
depends = ["figures.phases", "facts.population", "core.windows"]
not_null = ["calculation_type", "member_id", "window_name"]
unique = [["calculation_type", "member_id", "window_name"]]

[columns]
calculation_type = "variant whose outliers are left out"
member_id = "member of core.scope_members"
window_name = "whole, current or previous"
detection_us = "median from occurred to detected in microseconds; NULL without a valid duration, as are the others"
acknowledgment_us = "detected to acknowledged"
to_cause_us = "acknowledged to root cause found"
cause_to_mitigated_us = "root cause found to mitigated"
to_mitigated_us = "acknowledged to mitigated"
mitigated_to_resolved_us = "mitigated to resolved"
closure_us = "resolved to closed"
*/
SELECT
    calculation_type::VARCHAR AS calculation_type,
    member_id::UINTEGER AS member_id,
    window_name::VARCHAR AS window_name,
    detection_us,
    acknowledgment_us,
    to_cause_us,
    cause_to_mitigated_us,
    to_mitigated_us,
    mitigated_to_resolved_us,
    closure_us
FROM computed
