/*
description = """The members of every scope that delivery figures are given for: all deploys, and each service that has a deploy, and its team."""
not_null = ["member_id", "scope", "scope_value"]
unique = [["member_id"], ["scope", "scope_value"]]

[columns]
member_id = "0 for the scope all; the others follow in the order of scope and scope_value, without gaps"
scope = "all, service or team"
scope_value = "the member; `unknown` where a deploy has no service, or its service no team"
*/
SELECT (row_number() OVER (ORDER BY scope, scope_value) - 1)::BIGINT AS member_id, scope, scope_value
FROM (
    SELECT 'all' AS scope, 'all' AS scope_value
    UNION ALL
    SELECT DISTINCT 'service', coalesce(service, 'unknown') FROM core.deploys
    UNION ALL
    SELECT DISTINCT 'team', coalesce(s.team, 'unknown') FROM core.deploys AS d LEFT JOIN core.owners AS s ON s.service = d.service
)
