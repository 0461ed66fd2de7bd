/*
description = """What incident channels of Slack name: addresses and keys in every topic and purpose that they had, in bookmarks, in pinned messages and
in the first message of a bot; and in other messages, each a text of its own. A message about another record of a tool that the channel
names in one of the places before says what the incident is like, not what it is: it is left out."""
like = "staging.links"
yields = "links"

[columns]
source = "="
external_id = "="
place = "topic, purpose, bookmark, pin, first_message or message"
text_id = "="
reason = "="
target_kind = "="
target_source = "="
target = "="
is_responder = "="
landed_in = "="
*/
WITH channels AS (
    SELECT * FROM staging.${source}_channels WHERE NOT is_standing
),
pinned AS (
    SELECT DISTINCT external_id AS channel_id, unnest(pinned) AS ts FROM raw.${source}_pins
),
first_of_bots AS (
    SELECT channel_id, ts
    FROM raw.${source}_messages
    WHERE bot_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY channel_id ORDER BY sent_at, ts) = 1
),
placed AS (
    SELECT
        m.channel_id, m.ts, m.words, m.named, m.landed_in,
        CASE
            WHEN m.subtype = 'channel_topic' THEN 'topic'
            WHEN m.subtype = 'channel_purpose' THEN 'purpose'
            WHEN f.ts IS NOT NULL THEN 'first_message'
            WHEN p.ts IS NOT NULL THEN 'pin'
            ELSE 'message'
        END AS place
    FROM raw.${source}_messages AS m
    SEMI JOIN channels AS c ON c.external_id = m.channel_id
    LEFT JOIN pinned AS p ON p.channel_id = m.channel_id AND p.ts = m.ts
    LEFT JOIN first_of_bots AS f ON f.channel_id = m.channel_id AND f.ts = m.ts
),
marks AS (
    SELECT external_id, unnest(bookmarks) AS mark, landed_in FROM raw.${source}_bookmarks
),
named AS (
    SELECT external_id, 'topic' AS place, 'topic' AS text_id, unnest(slack_targets(topic)) AS found, landed_in FROM channels
    UNION ALL
    SELECT external_id, 'purpose', 'purpose', unnest(slack_targets(purpose)), landed_in FROM channels
    UNION ALL
    SELECT external_id, 'bookmark', NULL, {'target_kind': 'url', 'target': unnest(record_pages_in(mark.link))}, landed_in FROM marks
    UNION ALL
    SELECT external_id, 'bookmark', 'bookmark ' || mark.title, {'target_kind': 'key', 'target': unnest(keys_in(mark.title))}, landed_in
    FROM marks
    UNION ALL
    SELECT channel_id, place, ts,
        unnest(list_concat(
            list_transform(named, lambda page: {'target_kind': 'url', 'target': page}),
            list_transform(keys_in(words), lambda key: {'target_kind': 'key', 'target': key}))),
        landed_in
    FROM placed
),
known AS (
    SELECT
        n.*,
        -- What tells the records of one tool from those of others, as far as it can be said here.
        CASE WHEN n.found.target_kind = 'url' THEN regexp_extract(n.found.target, '^\w+://[^/]+')
            ELSE regexp_extract(n.found.target, '^(.+)-\d+$', 1) END AS family
    FROM named AS n
    SEMI JOIN channels AS c ON c.external_id = n.external_id
),
places AS (
    SELECT external_id, family, list(DISTINCT found.target) AS targets
    FROM known
    WHERE place <> 'message'
    GROUP BY external_id, family
)
SELECT DISTINCT ON (k.external_id, k.place, k.text_id, k.found)
    '${source}' AS source, k.external_id, k.place, k.text_id, link_reason(k.place, k.found.target_kind) AS reason,
    k.found.target_kind AS target_kind, NULL AS target_source, k.found.target AS target, false AS is_responder, k.landed_in
FROM known AS k
LEFT JOIN places AS p ON p.external_id = k.external_id AND p.family = k.family
WHERE k.place <> 'message' OR p.family IS NULL OR list_contains(p.targets, k.found.target)
ORDER BY k.external_id, k.place, k.text_id, k.found, k.landed_in
