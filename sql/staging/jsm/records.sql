/*
description = """JSM Operations alerts in the common shape. The service is what the extra properties name, else a tag `service:x`, else the
entity, else the integration. The API names neither the site nor a page of an alert; it is at `/jira/ops/alerts/<id>` of the
site (observed: no document of the vendor says so). The site is taken for that of the Jira issues."""
like = "staging.records"
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "id of the alert"
key = "tiny id"
title = "="
url = "page of the alert; NULL while neither web_url nor an issue of a Cloud site says where the pages are"
kind = "always incident"
severity = "="
severity_source = "always priority"
vendor_severity = "the vendor's priority"
vendor_status = "="
service = "="
team = "name of the owner team, else of the first team among the responders"
tags = "="
dedup_key = "alias"
updated_at = "="
field_problems = "="
reported_by = "integration that raised the alert"
reported_via = "integration; NULL where none is named"
landed_in = "="
*/
-- What was landed says where the pages are, not JIRA_URL, which a rebuild need not have. Only a site's own address will do: the
-- gateway api.atlassian.com has no pages, and Data Center no such alerts. Two accounts of Jira with two sites: nothing says which
-- of them an alert is on, and no link is better than a wrong one.
WITH pages AS (
    SELECT coalesce(
        (SELECT web_url FROM config.sources WHERE source = '${source}'),
        (SELECT CASE WHEN count(DISTINCT site_url) = 1 THEN min(site_url) END FROM (
            SELECT max_by(site_url, landed_in) AS site_url
            FROM staging.sites
            WHERE regexp_full_match(site_url, 'https://[^/]+\.atlassian\.net')
            GROUP BY source
        ))
    ) AS web_url
)
SELECT
    '${source}' AS source,
    a.external_id,
    a.tiny_id AS key,
    a.title,
    pages.web_url || '/jira/ops/alerts/' || a.external_id AS url,
    'incident' AS kind,
    s.severity,
    CASE WHEN s.severity IS NOT NULL THEN 'priority' END AS severity_source,
    a.priority AS vendor_severity,
    a.status AS vendor_status,
    coalesce(service_in(d.details), service_tag(a.tags), json_text(d.entity), a.integration_name) AS service,
    t.name AS team,
    a.tags,
    a.alias AS dedup_key,
    a.updated_at,
    alert_problems(d.details, d.entity) AS field_problems,
    a.integration_name AS reported_by,
    CASE WHEN a.integration_name IS NOT NULL THEN 'integration' END AS reported_via,
    a.landed_in
FROM raw.${source}_alerts AS a
CROSS JOIN pages
LEFT JOIN raw.${source}_alert_details AS d ON d.external_id = a.external_id
LEFT JOIN raw.${source}_teams AS t ON t.external_id = a.team_id
LEFT JOIN config.severities AS s ON s.source = '${source}' AND s.word = normalized(a.priority)
