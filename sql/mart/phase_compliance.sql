/*
description = """How many incidents finished a phase within its target, for all incidents and per severity, over the whole history and
over the last 30 and 90 days. Only phases with a configured target have rows. All matched incidents count, outliers too. A phase that
is still running and older than its target counts as a breach, unless its source never records the end of that phase."""
published = true
python = "mttr_pipeline.metrics.targets:of_phases"
depends = ["figures.phase_target_counts"]
like = "mart.target_compliance"
not_null = ["phase_model", "phase", "target_minutes", "incidents_count", "within_target", "at_risk", "breached", "open_breached", "pending", "invalid", "not_measured", "status", "low_n", "is_missed"]
unique = [["window_start", "phase", "severity"]]

[assert]
counts_add_up = "incidents_count = within_target + breached AND at_risk <= within_target AND open_breached <= breached"
no_data_is_null = "(incidents_count = 0) = (compliance_pct IS NULL)"
a_miss_needs_q_and_n = "is_missed = coalesce(miss_q < 0.05 AND incidents_count >= 6, false)"

[columns]
window_start = "="
window_end = "="
as_of = "clock of the run. It decides how long running phases have lasted. UTC"
phase_model = "phase model in force: lifecycle or coarse"
phase = "detection, acknowledgment, investigation, mitigation, resolution or closure"
severity = "SEV1 to SEV4; NULL = all"
target_minutes = "target of the phase"
actual_mean = "mean minutes of finished phases: exact sum / n"
actual_median = "median minutes of finished phases"
finished_count = "incidents behind actual_mean and actual_median"
incidents_count = "incidents that finished the phase + open_breached: the denominator"
within_target = "incidents that finished the phase in time"
at_risk = "="
breached = "incidents that finished the phase late + open_breached"
open_breached = "incidents in which the phase is still running and has taken longer than the target"
pending = "incidents in which the phase is still running and in time; in no other count"
invalid = "incidents in which the phase ends before it begins, or the acknowledgement is later than the resolve; in no other count"
not_measured = "incidents in which the phase began and its end was not recorded: a later stamp exists, the record says that it is over, or the source never records this stamp; in no other count"
compliance_pct = "="
compliance_low_pct = "="
compliance_high_pct = "="
status = "healthy (at least 95 % within the target), warning (at least 80 %), critical or no_data"
low_n = "="
miss_p = "="
miss_q = "miss_p after Benjamini-Hochberg over the rows that stand together: those of one window for all severities, or of one window per severity, with at least 6 incidents. NULL below 6"
is_missed = "="
*/
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(run.as_of)) AS as_of,
    c.* EXCLUDE (row_no, window_name),
    t.p AS miss_p,
    t.q AS miss_q,
    t.is_missed
FROM figures.phase_target_counts AS c
JOIN computed AS t ON t.row_no = c.row_no
JOIN core.target_windows AS w ON w.name = c.window_name
CROSS JOIN config.run AS run
ORDER BY c.row_no
