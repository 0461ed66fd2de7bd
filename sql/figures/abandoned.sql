/*
description = """Incidents that are open and abandoned: nothing happened for 7 days, no stamp of the incident and no change of its record
at the vendor. Nobody knows whether they are over."""
view = true
like = "facts.matched"
not_null = ["incident_no"]

[columns]
incident_no = "="
*/
SELECT i.rowid AS incident_no
FROM core.incidents AS i
CROSS JOIN config.run AS run
WHERE i.resolved_at IS NULL AND i.closed_at IS NULL
    AND greatest(i.started_at, i.acknowledged_at, i.investigating_at, i.root_cause_found_at, i.mitigated_at, i.updated_at)
        < make_timestamptz(epoch_us(run.as_of - INTERVAL 7 DAY))
