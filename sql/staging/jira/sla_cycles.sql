/*
description = """Cycles of the SLA fields of Jira Service Management as the vendor keeps them, recognised by their shape, not by their
name: completedCycles in their order, then ongoingCycle. Both may be null, empty or missing, and a Data Center site may give
something simpler, which is no cycle. An instant is an object with epochMillis, or the number or text itself (Jira Service
Management Cloud REST API, SLA information)."""
like = "staging.sla_cycles"
yields = "sla_cycles"
not_null = ["external_id", "field_id", "cycle", "is_ongoing"]
unique = [["external_id", "field_id", "cycle"]]

[columns]
source = "the account"
external_id = "numeric id of the issue"
field_id = "id of the custom field"
name = "name of the SLA, else of the field"
cycle = "1 for the first; a reopened issue has several"
started_at = "="
stopped_at = "="
breached = "="
goal_minutes = "="
elapsed_minutes = "="
is_ongoing = "="
*/
WITH flat AS (
    SELECT external_id, unnest(map_entries(fields)) AS field FROM staging.${source}_issues
),
slas AS (
    SELECT
        flat.external_id,
        flat.field.key AS field_id,
        coalesce(text_or_null(flat.field.value ->> '$.name'), f.name) AS name,
        CASE WHEN json_type(flat.field.value, '$.completedCycles') = 'ARRAY'
            THEN list_filter(json_extract(flat.field.value, '$.completedCycles[*]'), lambda c: json_type(c) = 'OBJECT')
            ELSE [] END AS completed,
        CASE WHEN json_type(flat.field.value, '$.ongoingCycle') = 'OBJECT'
            THEN [json_extract(flat.field.value, '$.ongoingCycle')] ELSE [] END AS ongoing
    FROM flat
    LEFT JOIN raw.${source}_fields AS f ON f.external_id = flat.field.key
    WHERE starts_with(flat.field.key, 'customfield_') AND json_type(flat.field.value) = 'OBJECT'
        AND (json_exists(flat.field.value, '$.completedCycles') OR json_exists(flat.field.value, '$.ongoingCycle'))
),
cycles AS (
    SELECT
        external_id, field_id, name, generate_subscripts(completed || ongoing, 1) AS cycle,
        unnest(completed || ongoing) AS c, len(completed) AS n_completed
    FROM slas
),
read AS (
    SELECT
        cycles.*,
        any_instant(coalesce(c ->> '$.startTime.epochMillis', c ->> '$.startTime.iso8601', c ->> '$.startTime'), zone) AS start_at,
        any_instant(coalesce(c ->> '$.stopTime.epochMillis', c ->> '$.stopTime.iso8601', c ->> '$.stopTime'), zone) AS stop_at,
        run.as_of + INTERVAL 5 MINUTE AS latest
    FROM cycles
    CROSS JOIN config.run AS run
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
)
SELECT
    '${source}' AS source,
    external_id,
    field_id,
    name,
    cycle,
    CASE WHEN start_at BETWEEN TIMESTAMP '2000-01-01' AND latest THEN start_at END AS started_at,
    CASE WHEN cycle <= n_completed AND stop_at BETWEEN TIMESTAMP '2000-01-01' AND latest THEN stop_at END AS stopped_at,
    try_cast(c ->> '$.breached' AS BOOLEAN) AS breached,
    try_cast(c ->> '$.goalDuration.millis' AS DOUBLE) / 60000 AS goal_minutes,
    try_cast(c ->> '$.elapsedTime.millis' AS DOUBLE) / 60000 AS elapsed_minutes,
    cycle > n_completed AS is_ongoing
FROM read
