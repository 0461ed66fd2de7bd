/*
description = """The members of every scope that figures are given for: all incidents, and each severity, service and team that has an
incident. Statistics group by their numbers."""
not_null = ["member_id", "scope", "scope_value"]
unique = [["member_id"], ["scope", "scope_value"]]

[columns]
member_id = "0 for the scope all; the others follow in the order of scope and scope_value, without gaps"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
*/
WITH counted AS (
    SELECT severity, coalesce(service, 'unknown') AS service, coalesce(team, 'unknown') AS team
    FROM core.incidents
    WHERE is_counted
)
SELECT (row_number() OVER (ORDER BY scope, scope_value) - 1)::UINTEGER AS member_id, scope, scope_value
FROM (
    SELECT 'all' AS scope, 'all' AS scope_value
    UNION ALL
    SELECT DISTINCT 'severity', severity FROM counted
    UNION ALL
    SELECT DISTINCT 'service', service FROM counted
    UNION ALL
    SELECT DISTINCT 'team', team FROM counted
)
