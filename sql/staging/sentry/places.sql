/*
description = """The services that a Sentry release brings out: those of its projects. A renamed project is one service: that of its newest release,
also of releases that were read under its name before."""
unique = [["release"]]

[columns]
release = "version of the release"
services = "as [sources.sentry.services] says of each project, by its slug now or then; else its slug now"
*/
WITH projects AS (
    SELECT release, coalesce(p.id, p.slug) AS project, p.slug AS slug, (created_us, release) AS age
    FROM (SELECT external_id AS release, coalesce(epoch_us(created_at), 0) AS created_us, unnest(projects) AS p FROM raw.${source}_releases)
),
named AS (
    SELECT p.project, arg_max(p.slug, p.age) AS slug, arg_max(s.services, p.age) FILTER (len(s.services) > 0) AS services
    FROM projects AS p
    LEFT JOIN config.deployed_services AS s ON s.source = '${source}' AND s.place = normalized(p.slug)
    GROUP BY p.project
)
SELECT p.release, list_sort(list_distinct(flatten(list(coalesce(n.services, [n.slug]))))) AS services
FROM projects AS p
JOIN named AS n ON n.project = p.project
GROUP BY p.release
