/*
description = "The services that a Sentry release brings out: those of its projects."
unique = [["release"]]

[columns]
release = "version of the release"
services = "as [sources.sentry.services] says of each project, else the slug of the project"
*/
WITH projects AS (
    SELECT external_id AS release, unnest(projects) AS project FROM raw.${source}_releases
)
SELECT p.release, list_sort(list_distinct(flatten(list(coalesce(nullif(s.services, []), [p.project]))))) AS services
FROM projects AS p
LEFT JOIN config.deployed_services AS s ON s.source = '${source}' AND s.place = normalized(p.project)
GROUP BY p.release
