/*
description = "Every member of every scope that figures are given for, numbered: statistics group by the number."
not_null = ["member_id", "scope", "scope_value"]
unique = [["member_id"], ["scope", "scope_value"]]

[columns]
member_id = "0 is the whole; the others follow in the order of scope and scope_value"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
*/
SELECT row_number() OVER (ORDER BY scope, scope_value) - 1 AS member_id, scope, scope_value
FROM (
    SELECT 'all' AS scope, 'all' AS scope_value
    UNION ALL
    SELECT DISTINCT 'severity', severity FROM core.phases
    UNION ALL
    SELECT DISTINCT 'service', service FROM core.phases
    UNION ALL
    SELECT DISTINCT 'team', team FROM core.phases
)
