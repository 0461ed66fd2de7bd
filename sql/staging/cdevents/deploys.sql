/*
description = """CDEvents that bring a version to an environment: service.deployed (a first instance), service.upgraded and service.rolledback,
of whatever version of the specification. service.published and service.removed are no deploys. The time of the event is the finish."""
like = "staging.deploys"
yields = "deploys"
not_null = ["source", "external_id", "finished_precision"]
unique = [["source", "external_id", "service"]]

[columns]
source = "="
external_id = "source and id of the event"
service = "as [sources.cdevents.services] says of the subject; else the last part of its id"
environment = "id of the environment"
version = "version of the package URL"
sha = "the same where it is a commit"
status = "always success: other ends have no event"
vendor_status = "deployed, upgraded or rolledback"
finished_at = "="
finished_precision = "always exact"
says_rollback = "="
is_shared = "="
landed_in = "landing file, then file and line of the inbox"
*/
WITH known AS (
    SELECT
        e.*,
        text_or_null(url_decode(regexp_extract(e.artifact, '@([^?#]+)', 1))) AS version,
        coalesce(nullif(list_distinct(s.services), []), [string_split(e.subject_id, '/')[-1]]) AS services
    FROM raw.${source}_inbox AS e
    LEFT JOIN config.deployed_services AS s ON s.source = '${source}' AND s.place = normalized(e.subject_id)
    WHERE e.subject = 'service' AND e.predicate IN ('deployed', 'upgraded', 'rolledback')
)
SELECT
    '${source}' AS source,
    external_id,
    unnest(services) AS service,
    environment,
    version,
    CASE WHEN regexp_full_match(version, '[0-9a-fA-F]{40}') THEN lower(version) END AS sha,
    'success' AS status,
    predicate AS vendor_status,
    happened_at AS finished_at,
    'exact' AS finished_precision,
    predicate = 'rolledback' AS says_rollback,
    len(services) > 1 AS is_shared,
    landed_in
FROM known
