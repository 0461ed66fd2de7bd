/*
description = """The phase model of this run: the configured one; else lifecycle, when at least half of the incidents with an acknowledgement
and a mitigation also have root_cause_found_at; else coarse. It is decided once, over the whole history."""
not_null = ["phase_model"]

[columns]
phase_model = "lifecycle or coarse"
complete = "incidents with acknowledged_at and mitigated_at"
with_root_cause = "those that also have root_cause_found_at"
*/
SELECT
    CASE
        WHEN run.phase_model <> 'auto' THEN run.phase_model
        WHEN count(i.root_cause_found_at) * 2 >= count(i.incident_id) AND count(i.incident_id) > 0 THEN 'lifecycle'
        ELSE 'coarse'
    END AS phase_model,
    count(i.incident_id) AS complete,
    count(i.root_cause_found_at) AS with_root_cause
FROM config.run AS run
LEFT JOIN core.incidents AS i
    ON i.is_counted AND i.acknowledged_at IS NOT NULL AND i.mitigated_at IS NOT NULL
GROUP BY run.phase_model
