/*
description = """Exact sums over the phases of the model in force that lie inside a variant, per variant, scope and window (whole history,
last 30 days), and over the variant itself. They count the analysed incidents of the variant. Negative durations are left out. An
incident whose phases together take longer than the variant has stamps out of order: it counts in no phase."""
like = "figures.phase_sums"
view = true
not_null = ["calculation_type", "member_id", "window_name", "phase", "n", "total_us", "analysed_n", "variant_us"]
unique = [["calculation_type", "member_id", "window_name", "phase"]]

[assert]
a_phase_is_a_part = "n <= analysed_n AND total_us <= variant_us AND measured_us <= variant_us"

[columns]
calculation_type = "variant"
member_id = "="
window_name = "="
phase = "="
place = "="
n = "="
total_us = "="
n_at_warning = "incidents at or above the warning level of the scope"
avoidable_us = "time spent above the warning level"
warning_us = "="
measured_us = "sum over all phases inside the variant"
analysed_n = "analysed incidents"
variant_us = "sum of their durations"
*/
SELECT
    calculation_type,
    member_id,
    window_name,
    phase,
    place,
    n,
    total_us,
    n_at_warning,
    avoidable_us,
    warning_us,
    sum(total_us) OVER (PARTITION BY calculation_type, member_id, window_name)::HUGEINT AS measured_us,
    analysed_n,
    variant_us
FROM figures.phase_sums
WHERE calculation_type <> 'all matched'
