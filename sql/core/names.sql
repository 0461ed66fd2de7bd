/*
description = """Every spelling of a service or team that records, deploys, errors, vendors' lists and the configuration use, and the name that is shown for
it. Spellings that differ only in case, blanks, `-`, `_` or Unicode form (NFKC) are one name. The configured spelling is shown, else the
one of most records, and of equally frequent ones the first in the order of their characters."""
not_null = ["kind", "written", "folded", "name"]
unique = [["kind", "written"]]

[columns]
kind = "service or team"
written = "the spelling"
folded = "the spelling as it is compared"
name = "name that is shown, after aliases of services"
team = "for a service, the team that the configuration names; else NULL"
*/
-- Each spelling is folded once, not each record.
WITH spelled AS (
    SELECT 'service' AS kind, r.service AS written, count(*) AS n, false AS is_configured
    FROM staging.records AS r
    ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
    GROUP BY r.service
    UNION ALL
    SELECT 'team', r.team, count(*), false
    FROM staging.records AS r
    ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
    GROUP BY r.team
    UNION ALL SELECT 'service', name, 0, false FROM staging.services
    UNION ALL SELECT 'team', team, 0, false FROM staging.services
    UNION ALL SELECT 'team', name, 0, false FROM staging.teams
    UNION ALL SELECT DISTINCT 'service', service, 0, false FROM staging.deploys
    UNION ALL SELECT DISTINCT 'service', service, 0, false FROM staging.error_issues
    UNION ALL SELECT DISTINCT 'team', team, 0, false FROM staging.error_issues
    UNION ALL SELECT DISTINCT 'service', service, 0, false FROM staging.release_sessions
    UNION ALL SELECT 'service', name, 0, false FROM config.path_values WHERE kind = 'service'
    UNION ALL SELECT 'team', team, 0, true FROM config.services
    UNION ALL SELECT 'service', service, 0, false FROM config.targets
    UNION ALL SELECT 'service', scope_value, 0, false FROM config.thresholds WHERE scope = 'service'
),
compared AS (
    SELECT kind, written, text_or_null(written) AS name, normalized(written) AS folded, sum(n) AS n, bool_or(is_configured) AS is_configured
    FROM spelled
    WHERE written IS NOT NULL
    GROUP BY kind, written
),
shown AS (
    SELECT kind, folded, name
    FROM (SELECT kind, folded, name, sum(n) AS n, bool_or(is_configured) AS is_configured FROM compared GROUP BY kind, folded, name)
    WHERE folded <> ''
    QUALIFY row_number() OVER (PARTITION BY kind, folded ORDER BY is_configured DESC, n DESC, name) = 1
)
SELECT
    c.kind,
    c.written,
    c.folded,
    -- What has no name is shown as `unknown`, so a name like that is the same.
    CASE WHEN c.folded = 'unknown' THEN 'unknown' ELSE without_addresses(coalesce(s.service, shown.name)) END AS name,
    without_addresses(team.name) AS team
FROM compared AS c
JOIN shown ON shown.kind = c.kind AND shown.folded = c.folded
LEFT JOIN config.services AS s ON c.kind = 'service' AND s.name = c.folded
LEFT JOIN shown AS team ON team.kind = 'team' AND team.folded = normalized(s.team)
ORDER BY c.kind, c.written
