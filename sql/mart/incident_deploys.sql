/*
description = """Which deploy introduced an incident, one row per incident and deploy: what a person or a tool said (`explicit`), else the latest production
deploy of each of its services within the window before the impact began (`window`). That a deploy came just before an incident is no proof
that it caused it. Incidents without such a deploy have no row."""
published = true
like = "core.incident_deploys"
not_null = ["incident_id", "deploy_id", "method"]
unique = [["incident_id", "deploy_id"]]

[columns]
incident_id = "="
deploy_id = "="
service = "="
method = "="
minutes_before = "="
detect_minutes = "="
*/
SELECT incident_id, deploy_id, service, method, minutes_before, detect_minutes FROM core.incident_deploys ORDER BY incident_id, deploy_id
