/*
description = """The observations that survival statistics leave out, once per scope member: the incident began before the complete
history of its source. They are few, so every table counts its own."""
view = true
like = "figures.observations"
not_null = ["calculation_type", "member_id", "started_us"]

[columns]
calculation_type = "="
member_id = "all, its severity, service or team, as in core.scope_members"
started_us = "="
*/
SELECT calculation_type, unnest([0, severity_id, service_id, team_id]) AS member_id, started_us
FROM facts.population
WHERE observed_us IS NOT NULL AND is_event IS NULL
