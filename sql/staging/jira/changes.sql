/*
description = """Every change in the history of an issue that can matter, once: the changelog embedded in the issue (Data Center)
and the one fetched by itself (Cloud) name the same histories, and a received event names the one it tells of."""
not_null = ["external_id", "change_id"]
unique = [["external_id", "change_id"]]

[columns]
external_id = "id of the issue"
change_id = "id of the history and position of the change in it"
seq = "position of the change in the history of the issue"
project_key = "project of the issue now"
field = "id of the field, else its name (Data Center names no id)"
from_id = "value before, as an id"
from_name = "value before, as shown"
to_id = "value after, as an id"
to_name = "value after, as shown"
happened_at = "when it was changed; NULL when that cannot be read"
actor = "who did it; NULL for a deleted user and some automation"
actor_kind = "human or integration (an app, or a user of Data Center who is named after a tool); NULL when no author is named"
landed_in = "landing file"
*/
WITH pulled AS (
    SELECT external_id, unnest(histories) AS h, landed_in FROM staging.${source}_issues
    UNION ALL
    SELECT issue_id, unnest(histories), landed_in FROM raw.${source}_changelogs
),
received AS (
    SELECT external_id, unnest(histories) AS h, landed_in FROM staging.${source}_received
),
told AS (
    SELECT * FROM pulled
    UNION ALL
    SELECT r.* FROM received AS r ANTI JOIN pulled AS p ON p.external_id = r.external_id AND p.h.id = r.h.id
),
once AS (
    SELECT
        external_id, history_id_of(h) AS history_id, max(h) AS h, max(landed_in) AS landed_in
    FROM told
    GROUP BY ALL
),
items AS (
    SELECT
        external_id, history_id, generate_subscripts(h.items, 1) AS place, unnest(h.items) AS item, h.created, h.author, landed_in
    FROM once
)
SELECT
    i.external_id,
    i.history_id || '/' || i.place AS change_id,
    row_number() OVER (
        PARTITION BY i.external_id ORDER BY any_instant(i.created, zone), try_cast(i.history_id AS BIGINT), i.history_id, i.place
    ) AS seq,
    issue.project_key,
    coalesce(text_or_null(i.item.fieldId), CASE WHEN i.item.fieldtype = 'custom' THEN lower(i.item.field) || ' (custom)' END,
        i.item.field) AS field,
    text_or_null(i.item."from") AS from_id,
    text_or_null(i.item.fromString) AS from_name,
    text_or_null(i.item."to") AS to_id,
    text_or_null(i.item.toString) AS to_name,
    any_instant(i.created, zone) AS happened_at,
    coalesce(text_or_null(i.author.displayName), i.author.name, i.author.accountId) AS actor,
    CASE WHEN i.author.accountType = 'app' THEN 'integration'
        -- Data Center has no apps among its users: an integration logs in as a user such as svc-pager or "Pager Sync".
        WHEN i.author.accountType IS NULL AND list_has_any(tools.names, regexp_split_to_array(
            lower(concat_ws(' ', i.author.name, i.author."key", i.author.displayName)), '[^a-z0-9]+')) THEN 'integration'
        WHEN coalesce(i.author.accountId, i.author.key, i.author.name, i.author.displayName) IS NOT NULL THEN 'human'
    END AS actor_kind,
    i.landed_in
FROM items AS i
JOIN staging.${source}_issues AS issue ON issue.external_id = i.external_id
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
CROSS JOIN (SELECT coalesce(list(source), []) AS names FROM config.record_sources WHERE role IN ('pager', 'machine alert')) AS tools
