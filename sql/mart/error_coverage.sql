/*
description = """How well issues of error trackers are known, one row per source and one for all: with an owner, with a suspect commit, with the deploy
that brought them, with the incident that they are evidence of. Without any issue there is no row."""
published = true
not_null = ["scope_value", "issues", "with_service", "with_team", "with_both", "with_suspect_commit", "with_deploy", "with_incident"]
unique = [["scope_value"]]

[columns]
scope_value = "source, or all"
issues = "issues"
with_service = "those with a service"
with_team = "those with a team"
with_both = "those with both"
with_suspect_commit = "those with a commit that the vendor suspects"
with_deploy = "those whose first version a production deploy of their service brought out"
with_incident = "those that a link makes evidence of an incident"
with_service_pct = "with_service / issues, in percent"
with_team_pct = "with_team / issues, in percent"
with_both_pct = "with_both / issues, in percent"
with_suspect_commit_pct = "with_suspect_commit / issues, in percent"
with_deploy_pct = "with_deploy / issues, in percent"
with_incident_pct = "with_incident / issues, in percent"
*/
WITH counted AS (
    SELECT
        CASE WHEN grouping(source) = 1 THEN 'all' ELSE source END AS scope_value,
        count(*) AS issues,
        count(service) AS with_service,
        count(team) AS with_team,
        count(*) FILTER (service IS NOT NULL AND team IS NOT NULL) AS with_both,
        count(suspect_commit) AS with_suspect_commit,
        count(introduced_by) AS with_deploy,
        count(incident_id) AS with_incident
    FROM mart.error_issues
    GROUP BY GROUPING SETS ((source), ())
)
SELECT *,
    100.0 * with_service / issues AS with_service_pct,
    100.0 * with_team / issues AS with_team_pct,
    100.0 * with_both / issues AS with_both_pct,
    100.0 * with_suspect_commit / issues AS with_suspect_commit_pct,
    100.0 * with_deploy / issues AS with_deploy_pct,
    100.0 * with_incident / issues AS with_incident_pct
FROM counted
WHERE issues > 0
ORDER BY scope_value = 'all' DESC, scope_value
