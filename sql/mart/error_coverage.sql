/*
description = """How well issues of error trackers are known, one row per source and one for all: with an owner, with a suspect commit, with the deploy
that brought them, with the incident that they are evidence of. Without any issue there is no row. A source that does not tell which commits
it suspects has no share of them."""
published = true
not_null = ["scope_value", "issues", "with_service", "with_team", "with_both", "n_suspect_commit", "with_deploy", "with_incident"]
unique = [["scope_value"]]

[assert]
nobody_tells_is_not_zero = "(with_suspect_commit IS NULL) = (n_suspect_commit = 0) AND (with_suspect_commit_pct IS NULL) = (n_suspect_commit = 0)"

[columns]
scope_value = "source, or all"
issues = "issues"
with_service = "those with a service"
with_team = "those with a team"
with_both = "those with both"
n_suspect_commit = "issues of which the source tells whether it suspects a commit"
with_suspect_commit = "those of n_suspect_commit with a commit that the vendor suspects; NULL where the source does not tell"
with_deploy = "those whose first version a production deploy of their service brought out"
with_incident = "those that a link makes evidence of an incident"
with_service_pct = "with_service / issues, in percent"
with_team_pct = "with_team / issues, in percent"
with_both_pct = "with_both / issues, in percent"
with_suspect_commit_pct = "with_suspect_commit / n_suspect_commit, in percent; NULL where the source does not tell"
with_deploy_pct = "with_deploy / issues, in percent"
with_incident_pct = "with_incident / issues, in percent"
*/
WITH counted AS (
    SELECT
        CASE WHEN grouping(i.source) = 1 THEN 'all' ELSE i.source END AS scope_value,
        count(*) AS issues,
        count(i.service) AS with_service,
        count(i.team) AS with_team,
        count(*) FILTER (i.service IS NOT NULL AND i.team IS NOT NULL) AS with_both,
        count(e.suspect_commits) AS n_suspect_commit,
        CASE WHEN n_suspect_commit > 0 THEN count(i.suspect_commit) END AS with_suspect_commit,
        count(i.introduced_by) AS with_deploy,
        count(i.incident_id) AS with_incident
    FROM mart.error_issues AS i
    JOIN core.errors AS e ON e.source = i.source AND e.external_id = i.external_id
    GROUP BY GROUPING SETS ((i.source), ())
)
SELECT *,
    100.0 * with_service / issues AS with_service_pct,
    100.0 * with_team / issues AS with_team_pct,
    100.0 * with_both / issues AS with_both_pct,
    100.0 * with_suspect_commit / nullif(n_suspect_commit, 0) AS with_suspect_commit_pct,
    100.0 * with_deploy / issues AS with_deploy_pct,
    100.0 * with_incident / issues AS with_incident_pct
FROM counted
WHERE issues > 0
ORDER BY scope_value = 'all' DESC, scope_value
