/*
description = """The newest version of each custom record (`mttr import`), checked: a record with a bad value is not used at all,
and the reason names every field that is wrong."""
key = ["external_id"]
version = "updated_at"

[columns]
external_id = "the record's own id"
title = "title"
url = "link to the record"
severity = "severity as written"
status = "status as written"
kind = "incident, false_alarm, maintenance or test; incident where nothing is written"
occurred_at = "when the impact began, as a field"
detected_at = "when it was noticed first, as a field"
acknowledged_at = "when a responder took it, as a field"
investigating_at = "when work on the cause began, as a field"
root_cause_found_at = "when the cause was known, as a field"
mitigated_at = "when users had service again, as a field"
resolved_at = "when it was over, as a field"
closed_at = "when the follow-up was done, as a field"
service = "service"
team = "team"
tags = "tags"
root_cause_category = "category of the cause"
affected_users = "number of users"
revenue_impact = "money, in the currency of the reader"
duplicate_of = "external_id of the record that this one repeats"
resolution_kind = "human, integration or timeout"
timeline = "entries in the order written"
updated_at = "which of two versions is the newer; without it the later import"
reject_reason = "why the record cannot be used"
landed_in = "landing file, then file and line of the import"
*/
WITH lines AS (
    SELECT
        record, unreadable, reason, zone, severities,
        coalesce(given_text(record.external_id), given_text(id)) AS external_id,
        lower(coalesce(given_text(record.kind), 'incident')) AS kind,
        lower(given_text(record.resolution_kind)) AS resolution_kind,
        try_cast(given_text(record.affected_users) AS BIGINT) AS affected_users,
        try_cast(given_text(record.revenue_impact) AS DOUBLE) AS revenue_impact,
        CASE json_type(record.tags)
            WHEN 'ARRAY' THEN json_transform(record.tags, '["VARCHAR"]')
            WHEN 'VARCHAR' THEN string_split(record.tags ->> '$', ',')
        END AS tags,
        json_transform(record.timeline, '[{"event_type":"VARCHAR","at":"VARCHAR","actor":"VARCHAR","notes":"VARCHAR"}]')
            AS entries,
        -- One expression for all of them: it is planned once, and each text is read once.
        list_transform(list_transform(
            [record.title, record.severity, record.status, record.service, record.team, record.root_cause_category],
            lambda t: CASE WHEN starts_with(t, '[') OR starts_with(t, '{') THEN plain_text(t) ELSE t END),
            lambda t: given_text(t)) AS texts,
        list_transform(
            [
                {'name': 'occurred_at', 'text': given_text(record.occurred_at)},
                {'name': 'detected_at', 'text': given_text(record.detected_at)},
                {'name': 'acknowledged_at', 'text': given_text(record.acknowledged_at)},
                {'name': 'investigating_at', 'text': given_text(record.investigating_at)},
                {'name': 'root_cause_found_at', 'text': given_text(record.root_cause_found_at)},
                {'name': 'mitigated_at', 'text': given_text(record.mitigated_at)},
                {'name': 'resolved_at', 'text': given_text(record.resolved_at)},
                {'name': 'closed_at', 'text': given_text(record.closed_at)},
                {'name': 'updated_at', 'text': given_text(record.updated_at)}
            ],
            lambda s: struct_pack("name" := s.name, "text" := s.text, happened_at := instant(s.text, zone))
        ) AS stamps,
        landed_in || coalesce(' (' || file || ':' || line || ')', '') AS landed_in
    FROM landed({
        file: 'VARCHAR', line: 'BIGINT', id: 'VARCHAR', unreadable: 'VARCHAR', reason: 'VARCHAR',
        record: 'STRUCT(external_id VARCHAR, title VARCHAR, url VARCHAR, severity VARCHAR, status VARCHAR, kind VARCHAR,
            occurred_at VARCHAR, detected_at VARCHAR, acknowledged_at VARCHAR, investigating_at VARCHAR,
            root_cause_found_at VARCHAR, mitigated_at VARCHAR, resolved_at VARCHAR, closed_at VARCHAR,
            service VARCHAR, team VARCHAR, tags JSON, root_cause_category VARCHAR, affected_users VARCHAR,
            revenue_impact VARCHAR, duplicate_of VARCHAR, resolution_kind VARCHAR, updated_at VARCHAR, timeline JSON)'
    })
    -- The words as a list: looked up in a table, records would lose the order of landing.
    CROSS JOIN (
        SELECT time_zone AS zone, (SELECT list(word) FROM config.severities WHERE source = '${source}') AS severities
        FROM config.sources WHERE source = '${source}'
    )
),
typed AS (
    SELECT
        *,
        list_transform(entries, lambda e, i: struct_pack(
            place := i, event_type := lower(text_or_null(e.event_type)), happened_at := instant(text_or_null(e.at), zone),
            actor := text_or_null(e.actor), notes := text_or_null(e.notes), "text" := text_or_null(e.at)
        )) AS timeline,
        struct_pack(title := texts[1], severity := texts[2], status := texts[3], service := texts[4], team := texts[5],
            root_cause_category := texts[6]) AS named
    FROM lines
),
judged AS (
    SELECT
        *,
        list_concat(
            [
                CASE WHEN external_id IS NULL THEN 'external_id is missing' END,
                no_text('external_id', record.external_id, NULL),
                no_text('title', record.title, named.title),
                no_text('severity', record.severity, named.severity),
                no_text('status', record.status, named.status),
                no_text('service', record.service, named.service),
                no_text('team', record.team, named.team),
                no_text('root_cause_category', record.root_cause_category, named.root_cause_category),
                no_text('duplicate_of', record.duplicate_of, NULL),
                no_text('url', record.url, NULL),
                CASE WHEN named.severity IS NOT NULL
                        AND NOT list_contains(severities, normalized(named.severity))
                    THEN 'severity is none of SEV1, SEV2, SEV3, SEV4: ' || left(named.severity, 40) END,
                CASE WHEN kind NOT IN ('incident', 'false_alarm', 'maintenance', 'test')
                    THEN 'kind is none of incident, false_alarm, maintenance, test: ' || left(kind, 40) END,
                CASE WHEN resolution_kind NOT IN ('human', 'integration', 'timeout')
                    THEN 'resolution_kind is none of human, integration, timeout: ' || left(resolution_kind, 40) END,
                CASE WHEN given_text(record.affected_users) IS NOT NULL AND coalesce(affected_users < 0, true)
                    THEN 'affected_users is no number of people: ' || left(record.affected_users, 40) END,
                CASE WHEN given_text(record.revenue_impact) IS NOT NULL AND NOT coalesce(isfinite(revenue_impact), false)
                    THEN 'revenue_impact is no number: ' || left(record.revenue_impact, 40) END,
                CASE WHEN json_type(record.tags) NOT IN ('ARRAY', 'VARCHAR', 'NULL')
                    THEN 'tags is no list: ' || left(record.tags::VARCHAR, 40) END,
                CASE WHEN trim(record.duplicate_of) = external_id THEN 'duplicate_of is the record itself' END,
                CASE WHEN json_type(record.timeline) NOT IN ('ARRAY', 'NULL') AND (record.timeline ->> '$') <> ''
                    THEN 'timeline is no list: ' || left(record.timeline::VARCHAR, 40) END
            ],
            list_transform(
                stamps, lambda s: CASE WHEN s.text IS NOT NULL THEN instant_problem(s.name, s.text, s.happened_at) END
            ),
            list_transform(timeline, lambda e: CASE
                WHEN e.event_type IS NULL THEN 'timeline entry ' || e.place || ' has no event_type'
                ELSE instant_problem('at of timeline entry ' || e.place, e.text, e.happened_at)
            END),
            [CASE
                WHEN len(list_filter(stamps, lambda s: s.text IS NOT NULL AND s.name <> 'updated_at')) = 0
                    AND coalesce(len(list_filter(timeline, lambda e: list_contains(
                        ['occurred', 'detected', 'acknowledged', 'investigating', 'root_cause_found',
                            'mitigated', 'resolved', 'closed'], e.event_type))), 0) = 0
                THEN 'no stamp, neither as a field nor in the timeline'
            END]
        ) AS problems
    FROM typed
)
SELECT
    external_id,
    named.title,
    given_text(record.url) AS url,
    named.severity,
    named.status,
    kind,
    stamps[1].happened_at AS occurred_at,
    stamps[2].happened_at AS detected_at,
    stamps[3].happened_at AS acknowledged_at,
    stamps[4].happened_at AS investigating_at,
    stamps[5].happened_at AS root_cause_found_at,
    stamps[6].happened_at AS mitigated_at,
    stamps[7].happened_at AS resolved_at,
    stamps[8].happened_at AS closed_at,
    named.service,
    named.team,
    list_filter(list_transform(tags, lambda t: trim(t)), lambda t: t <> '') AS tags,
    named.root_cause_category,
    affected_users,
    revenue_impact,
    given_text(record.duplicate_of) AS duplicate_of,
    resolution_kind,
    list_transform(timeline, lambda e: struct_pack(
        event_type := e.event_type, happened_at := e.happened_at, actor := e.actor, notes := e.notes)) AS timeline,
    stamps[9].happened_at AS updated_at,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        ELSE nullif(array_to_string(list_filter(problems, lambda p: p IS NOT NULL), '; '), '')
    END AS reject_reason,
    landed_in
FROM judged
