/*
description = """Alerts out of received bodies: webhooks of Prometheus Alertmanager (version 4) and of Grafana Alerting (version 1), and lists
of Alertmanager's API v2. One row per alert and start of firing. A list of the API holds firing alerts, with an expected end. A
body with the resolve goes before one without, whichever came later; Go's zero time stands for no end (Prometheus Alertmanager,
Notification template reference, Alert)."""
inbox = true
key = ["external_id"]
version = "settled_at"

[columns]
external_id = "fingerprint of the labels and the start of firing"
fingerprint = "fingerprint of the labels: the same whenever this alert fires"
status = "firing or resolved; active, suppressed or unprocessed in a list of the API"
starts_at = "when it began to fire"
ends_at = "when it was resolved; NULL while it fires, whatever end the body expects"
title = "annotation summary, else description, else the name of the alert"
url = "page of the expression, else of the Alertmanager"
alert_name = "label alertname: the name of the rule"
severity = "label severity"
service = "label service, else job"
team = "label team"
tags = "the other labels as name:value, by name"
group_key = "key of the group that it was sent with; NULL where the sender names none"
named = "pages of records that the annotations name, with the name of the annotation"
field_problems = "what is wrong with the labels that name severity, service and team"
settled_at = "which of two bodies is the newer: the end, or the year 1 while there is none"
reject_reason = "why the alert cannot be used"
landed_in = "landing file, then file and line of the inbox"
*/
WITH alerts AS (
    SELECT
        body, body -> '$.labels' AS labels, address, "group", unreadable, reason, zone,
        landed_in || ' (' || file || ':' || line || ')' AS landed_in,
        text_or_null(body ->> '$.fingerprint') AS fingerprint,
        lower(coalesce(text_or_null(body ->> '$.status.state'), text_or_null(body ->> '$.status'))) AS status,
        instant(body ->> '$.startsAt', zone) AS starts_at,
        CASE WHEN lower(trim(body ->> '$.status')) = 'resolved' AND NOT starts_with(body ->> '$.endsAt', '0001-01-01')
            THEN text_or_null(body ->> '$.endsAt') END AS end_text
    FROM landed({
        file: 'VARCHAR', line: 'BIGINT', address: 'VARCHAR', "group": 'VARCHAR', unreadable: 'VARCHAR', reason: 'VARCHAR', body: 'JSON'
    })
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
)
SELECT
    fingerprint || '/' || strftime(starts_at, '%Y-%m-%dT%H:%M:%S.%fZ') AS external_id,
    fingerprint,
    status,
    starts_at,
    instant(end_text, zone) AS ends_at,
    coalesce(text_or_null(body ->> '$.annotations.summary'), text_or_null(body ->> '$.annotations.description'),
        text_or_null(labels ->> '$.alertname')) AS title,
    coalesce(text_or_null(body ->> '$.generatorURL'), text_or_null(address)) AS url,
    text_or_null(labels ->> '$.alertname') AS alert_name,
    json_text(json_extract(labels, '$.severity')) AS severity,
    coalesce(json_text(json_extract(labels, '$.service')), json_text(json_extract(labels, '$.job'))) AS service,
    json_text(json_extract(labels, '$.team')) AS team,
    list_sort(list_transform(
        list_filter(
            map_entries(json_map(labels)), lambda l: l.key NOT IN ('alertname', 'severity', 'service', 'team')),
        lambda l: l.key || ':' || (l.value ->> '$')
    )) AS tags,
    text_or_null("group") AS group_key,
    named_in(list_transform(map_entries(json_map(body -> '$.annotations')),
        lambda a: {'place': 'description', 'text_id': a.key, 'text': a.value ->> '$'})) AS named,
    list_filter(
        [field_problem('severity', labels -> '$.severity', 'severity'), field_problem('service', labels -> '$.service', 'service'),
            field_problem('team', labels -> '$.team', 'team')],
        lambda problem: problem IS NOT NULL) AS field_problems,
    coalesce(instant(end_text, zone), TIMESTAMP '0001-01-01') AS settled_at,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        WHEN fingerprint IS NULL THEN 'no fingerprint'
        ELSE coalesce(
            instant_problem('startsAt', body ->> '$.startsAt', starts_at),
            CASE WHEN end_text IS NOT NULL THEN instant_problem('endsAt', end_text, instant(end_text, zone)) END
        )
    END AS reject_reason,
    landed_in
FROM alerts
