/*
description = """Median duration of every phase, per variant, scope member and window. The outliers of the variant and negative
durations are left out. Linear interpolation at (n-1)/2 in whole microseconds, like quantile_cont."""
python = "mttr_pipeline.metrics.medians:compute"
depends = ["figures.phases", "facts.population", "core.windows", "core.scope_members"]
like = "figures.phases"
not_null = ["calculation_type", "member_id", "window_id"]
unique = [["calculation_type", "member_id", "window_id"]]

[columns]
calculation_type = "variant whose outliers are left out"
window_id = "window, as in core.windows"
member_id = "member, as in core.scope_members"
detection_us = "="
acknowledgment_us = "="
to_cause_us = "="
cause_to_mitigated_us = "="
to_mitigated_us = "="
mitigated_to_resolved_us = "="
closure_us = "="
*/
SELECT
    calculation_type::VARCHAR AS calculation_type,
    window_id,
    member_id::UINTEGER AS member_id,
    * EXCLUDE (calculation_type, window_id, member_id)
FROM computed
