/*
description = """Where each counted incident comes from: who or what noticed it first, and the alert rule behind it. A mapped field of one of its records
goes first; else what the record says that its detection comes from, else the record that began first and says something. The rule is that
of a machine alert, else of a page: the name that the source keeps, else what titles of one rule have in common (title_template). An alert
that pages for an incident names no rule."""
not_null = ["incident_no", "detected_by"]
unique = [["incident_no"]]

[assert]
known_detection = "detected_by IN ('monitor', 'customer', 'employee', 'release', 'unknown')"

[columns]
incident_no = "rowid of the incident in core.incidents"
detected_by = "monitor, customer, employee, release or unknown"
reported_via = "field, integration, reporter or role; NULL where nothing says it"
rule_source = "source of the record that the rule is of; NULL without a rule"
alert_rule = "the rule; NULL where neither a machine alert nor a page tells of the incident"
*/
WITH found AS (
    SELECT
        i.rowid AS incident_no, s.source, s.external_id, s.role, r.detected_by, r.reported_via,
        CASE WHEN s.role IN ('pager', 'machine alert') AND NOT coalesce(m.is_responder, false)
            THEN coalesce(text_or_null(r.alert_rule), nullif(title_template(s.title), '')) END AS rule,
        s.detected_at IS DISTINCT FROM i.detected_at AS is_another,
        list_position(['pager', 'ticket', 'machine alert', 'channel'], s.role) AS place,
        epoch_us(s.started_at) AS started_us, m.record_id IS NULL AS is_alone
    FROM core.incidents AS i
    JOIN core.incident_sources AS l ON l.incident_id = i.incident_id
    JOIN core.standalone AS s ON s.record_id = l.record_id
    JOIN core.vendor_records AS r ON r.source = s.source AND r.external_id = s.external_id
    LEFT JOIN core.members AS m ON m.record_id = s.record_id
    WHERE i.is_counted
),
records AS (
    SELECT *, without_addresses(rule) AS alert_rule FROM found
)
-- Most records stand alone: of them nothing has to be chosen.
SELECT
    incident_no,
    coalesce(detected_by, 'unknown') AS detected_by,
    CASE WHEN detected_by IS NOT NULL THEN reported_via END AS reported_via,
    CASE WHEN alert_rule IS NOT NULL THEN source END AS rule_source,
    alert_rule
FROM records
WHERE is_alone
UNION ALL
SELECT
    incident_no,
    coalesce(arg_min(detected_by, (reported_via <> 'field', is_another, place, started_us, source, external_id))
        FILTER (detected_by IS NOT NULL), 'unknown'),
    arg_min(reported_via, (reported_via <> 'field', is_another, place, started_us, source, external_id)) FILTER (detected_by IS NOT NULL),
    arg_min(source, (role <> 'machine alert', started_us, source, external_id)) FILTER (alert_rule IS NOT NULL),
    arg_min(alert_rule, (role <> 'machine alert', started_us, source, external_id)) FILTER (alert_rule IS NOT NULL)
FROM records
WHERE NOT is_alone
GROUP BY incident_no
