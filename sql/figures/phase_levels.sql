/*
description = """The levels of every phase as one row: of the scope all, and of every severity and service with levels of its own, where a
general level stands in for a missing one."""
view = true
not_null = ["member_id"]
unique = [["member_id"]]

[columns]
member_id = "member, as in core.scope_members"
detection_warning = "warning level of the phase in microseconds"
detection_critical = "critical level of the phase in microseconds"
acknowledgment_warning = "as detection_warning"
acknowledgment_critical = "as detection_critical"
investigation_warning = "as detection_warning"
investigation_critical = "as detection_critical"
mitigation_warning = "as detection_warning"
mitigation_critical = "as detection_critical"
*/
SELECT
    m.member_id,
    max(coalesce(own.warning_us, g.warning_us)) FILTER (WHERE g.phase = 'detection') AS detection_warning,
    max(coalesce(own.critical_us, g.critical_us)) FILTER (WHERE g.phase = 'detection') AS detection_critical,
    max(coalesce(own.warning_us, g.warning_us)) FILTER (WHERE g.phase = 'acknowledgment') AS acknowledgment_warning,
    max(coalesce(own.critical_us, g.critical_us)) FILTER (WHERE g.phase = 'acknowledgment') AS acknowledgment_critical,
    max(coalesce(own.warning_us, g.warning_us)) FILTER (WHERE g.phase = 'investigation') AS investigation_warning,
    max(coalesce(own.critical_us, g.critical_us)) FILTER (WHERE g.phase = 'investigation') AS investigation_critical,
    max(coalesce(own.warning_us, g.warning_us)) FILTER (WHERE g.phase = 'mitigation') AS mitigation_warning,
    max(coalesce(own.critical_us, g.critical_us)) FILTER (WHERE g.phase = 'mitigation') AS mitigation_critical
FROM (SELECT DISTINCT scope, scope_value FROM core.thresholds) AS t
JOIN core.scope_members AS m ON m.scope = t.scope AND m.scope_value = t.scope_value
JOIN core.thresholds AS g ON g.scope = 'all'
LEFT JOIN core.thresholds AS own ON own.scope = t.scope AND own.scope_value = t.scope_value AND own.phase = g.phase
GROUP BY m.member_id
