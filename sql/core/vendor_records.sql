/*
description = """One row per vendor record of every source, in one vocabulary, issues of error trackers that are incidents included: aliases of services resolved, the team of the
configuration filled in, a severity where the vendor gave none. Records that the vendor has deleted are left out."""
like = "staging.records"
not_null = ["source", "external_id", "kind", "severity", "severity_source"]
unique = [["source", "external_id"]]

[columns]
source = "source of the record"
external_id = "="
key = "="
title = "="
url = "page at the vendor; NULL where it is no address with http or https"
kind = "="
severity = "SEV1..SEV4; SEV3 when nothing says it"
severity_source = "what the severity was taken from; default when nothing said it"
vendor_severity = "="
vendor_status = "="
status_event = "what the status means, as an event of the incident model; NULL when no map contains it, and when it is of a time after as_of"
service = "name of the service as core.names shows it, NULL when unknown"
team = "name of the owning team as core.names shows it, NULL when unknown"
tags = "="
root_cause_category = "="
affected_users = "="
revenue_impact = "="
duplicate_of_id = "external_id, in the same source, of the record it was merged into"
is_duplicate = "whether the vendor says it is a duplicate"
dedup_key = "="
resolution_kind = "="
updated_at = "when the record changed last"
detected_by = "who or what noticed the incident by this record: monitor, customer, employee, release or unknown; NULL where nothing says it"
reported_via = "what says so: field, integration, reporter, or role (a machine alert); NULL where nothing does"
alert_rule = "name of its alert rule; NULL where the source keeps none"
landed_in = "="
*/
SELECT
    e.source,
    e.external_id,
    e.key,
    e.title,
    web_link(e.url) AS url,
    -- Marked a duplicate of nothing in particular, it is no incident of its own, and nothing else counts it.
    CASE WHEN e.is_duplicate AND e.duplicate_of_id IS NULL THEN 'false_alarm' ELSE e.kind END AS kind,
    coalesce(e.severity, 'SEV3') AS severity,
    CASE WHEN e.severity IS NULL THEN 'default' ELSE coalesce(e.severity_source, 'field') END AS severity_source,
    e.vendor_severity,
    e.vendor_status,
    CASE WHEN coalesce(e.updated_at <= run.as_of + INTERVAL 5 MINUTE, true) THEN coalesce(e.status_event, w.meaning) END
        AS status_event,
    service.name AS service,
    coalesce(service.team, team.name) AS team,
    e.tags,
    e.root_cause_category,
    e.affected_users,
    e.revenue_impact,
    e.duplicate_of_id,
    coalesce(e.is_duplicate, false) AS is_duplicate,
    e.dedup_key,
    e.resolution_kind,
    e.updated_at,
    coalesce(detection.meaning, CASE WHEN e.reported_via = 'integration' OR (e.reported_via IS NULL AND role.role = 'machine alert') THEN 'monitor' END)
        AS detected_by,
    CASE
        WHEN detection.meaning IS NOT NULL OR e.reported_via = 'integration' THEN e.reported_via
        WHEN e.reported_via IS NULL AND role.role = 'machine alert' THEN 'role'
    END AS reported_via,
    e.alert_rule,
    e.landed_in
FROM (FROM staging.records UNION ALL BY NAME FROM core.error_records) AS e
LEFT JOIN core.names AS service ON service.kind = 'service' AND service.written = e.service
LEFT JOIN core.names AS team ON team.kind = 'team' AND team.written = e.team
LEFT JOIN core.words AS w ON w.source = e.source AND w.kind = 'status' AND w.scope IS NULL AND w.word = e.vendor_status
LEFT JOIN config.record_sources AS role ON role.source = e.source
LEFT JOIN config.detections AS detection ON detection.source = role.account AND detection.word = normalized(e.reported_by)
LEFT JOIN core.deleted_records AS d ON d.source = e.source AND d.external_id = e.external_id
CROSS JOIN config.run AS run
WHERE d.external_id IS NULL
