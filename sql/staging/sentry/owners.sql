/*
description = "Service and team of each project that has errors or sessions, as far as the project alone says them."
unique = [["project"]]

[columns]
project = "slug"
service = "as [sources.sentry.services] says, else the slug; NULL where several services are named"
team = "the team that owns it, where there is one"
*/
WITH projects AS (
    SELECT slug AS project, teams FROM raw.${source}_projects WHERE slug IS NOT NULL
    UNION ALL
    SELECT project, [] FROM raw.${source}_issues WHERE project IS NOT NULL
),
each AS (
    SELECT project, list_sort(list_distinct(flatten(list(coalesce(teams, []))))) AS teams FROM projects GROUP BY project
)
SELECT
    e.project,
    CASE WHEN s.services IS NULL OR len(s.services) = 0 THEN e.project WHEN len(s.services) = 1 THEN s.services[1] END AS service,
    CASE WHEN len(e.teams) = 1 THEN e.teams[1] END AS team
FROM each AS e
LEFT JOIN config.deployed_services AS s ON s.source = '${source}' AND s.place = normalized(e.project)
