/*
description = """What Jira issues name: addresses in the description, the environment, comments, custom fields and remote links; records whose id or
key stands in a field that is mapped to linked_incident; deploys that a field mapped to introduced_by names; issues that they are linked with; alerts that the vendor links with them, and those that page for them. An address of the issue's own page is no naming."""
like = "staging.links"
yields = "links"

[columns]
source = "="
external_id = "="
place = "="
text_id = "="
reason = "="
target_kind = "="
target_source = "="
target = "="
is_responder = "="
landed_in = "="
*/
WITH kept AS (
    SELECT external_id, key, unnest(named) AS named, landed_in FROM staging.${source}_issues
),
linked AS (
    SELECT external_id, unnest(list_filter(links, lambda l: lower(l.type.name) <> 'duplicate')) AS link, landed_in
    FROM staging.${source}_issues
),
named AS (
    SELECT external_id, named.place, named.text_id, link_reason(named.place, 'url') AS reason, 'url' AS target_kind,
        NULL AS target_source, named.url AS target, landed_in
    FROM kept
    WHERE NOT ends_with(named.url, '/browse/' || key)
    UNION ALL
    SELECT issue_id, 'remote_link', NULL, 'url', 'url', NULL, unnest(urls), landed_in
    FROM raw.${source}_remote_links
    UNION ALL
    SELECT external_id, 'mapped_field', NULL, 'key', 'key', NULL, trim(value), landed_in
    FROM staging.${source}_fields
    WHERE target = 'linked_incident' AND NOT contains(value, '://')
    UNION ALL
    SELECT external_id, 'mapped_field', NULL, 'key', 'deploy', NULL, trim(value), landed_in
    FROM staging.${source}_fields
    WHERE target = 'introduced_by' AND trim(value) <> ''
    UNION ALL
    SELECT external_id, 'issue_link', NULL, 'key', 'id', '${source}', coalesce(link.outwardIssue.id, link.inwardIssue.id), landed_in
    FROM linked
    WHERE coalesce(link.outwardIssue.id, link.inwardIssue.id) IS NOT NULL
),
-- Which account has the alerts is a setting: without it there are no links.
alerts AS (
    SELECT l.issue_id, l.place, l.alert_id, s.value AS target_source, l.is_responder, l.landed_in
    FROM (
        SELECT issue_id, 'associated_alert' AS place, unnest(linked) AS alert_id, false AS is_responder, landed_in FROM raw.${source}_linked_alerts
        UNION ALL
        SELECT issue_id, 'responder_alert', unnest(responders), true, landed_in FROM raw.${source}_linked_alerts
    ) AS l
    JOIN config.source_settings AS s ON s.source = '${source}' AND s.setting = 'linked_alerts'
)
SELECT DISTINCT ON (n.external_id, n.place, n.text_id, n.target_kind, n.target)
    '${source}' AS source, n.external_id, n.place, n.text_id, n.reason, n.target_kind, n.target_source, n.target,
    n.is_responder, n.landed_in
FROM (
    SELECT *, false AS is_responder FROM named
    UNION ALL
    SELECT issue_id, place, NULL, 'vendor', 'id', target_source, alert_id, landed_in, is_responder FROM alerts
) AS n
SEMI JOIN staging.${source}_issues AS i ON i.external_id = n.external_id
ORDER BY n.external_id, n.place, n.text_id, n.target_kind, n.target, n.landed_in
