/*
description = """Timelines of incident channels of Slack. detected is the making of the channel, derived: it counts where nothing else detected. A
message of a person, or a pinned one, that begins with a mark such as `Mitigated:` sets that stamp. Topics and the bots of incident
tools tell the status, which sets a stamp when it changes. The archiving is the close. What else is said is no event, but for pinned
messages, which are notes. Reactions have no time, so they say nothing."""
like = "staging.events"
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type", "happened_at"]
unique = [["external_id", "event_id"]]

[columns]
source = "the account"
external_id = "id of the channel"
event_id = "ts of the message and what it says"
event_type = "="
vendor_type = "created, message, pin, topic, tool or channel_archive"
happened_at = "when the message was sent; of a mark in one that was edited late, when it was edited, where edited_marks says so"
actor = "="
actor_kind = "="
notes = "="
provenance = "api; derived for the making of the channel, for marks, and for what follows from the status before"
severity_from = "="
severity_to = "="
landed_in = "="
*/
WITH channels AS (
    SELECT * FROM staging.${source}_channels WHERE NOT is_standing
),
pinned AS (
    SELECT DISTINCT external_id AS channel_id, unnest(pinned) AS ts FROM raw.${source}_pins
),
messages AS (
    SELECT
        m.channel_id, m.ts, m.subtype, m.bot_id, m.landed_in, coalesce(slack_text(m.changed_to), m.words) AS words, p.ts IS NOT NULL AS is_pinned, m.sent_at,
        CASE WHEN e.value = 'edited' AND slack_is_late_edit(m.sent_at, m.edited_at) THEN m.edited_at ELSE m.sent_at END AS marked_at,
        coalesce(u.name, m.user_id, m.bot_names[-1]) AS actor,
        CASE WHEN m.bot_id IS NOT NULL OR u.is_bot THEN 'integration' WHEN m.user_id IS NOT NULL THEN 'human' END AS actor_kind
    FROM raw.${source}_messages AS m
    SEMI JOIN channels AS c ON c.external_id = m.channel_id
    LEFT JOIN pinned AS p ON p.channel_id = m.channel_id AND p.ts = m.ts
    LEFT JOIN raw.${source}_users AS u ON u.external_id = m.user_id
    LEFT JOIN config.source_settings AS e ON e.source = '${source}' AND e.setting = 'edited_marks'
),
created AS (
    SELECT external_id, external_id || '/created' AS event_id, 'detected' AS event_type, 'created' AS vendor_type,
        created_at AS happened_at, 'derived' AS provenance, landed_in
    FROM channels
),
marked AS (
    SELECT m.channel_id, m.ts, mark.event_type, m.marked_at, m.actor, m.actor_kind, m.words, m.is_pinned, m.landed_in
    FROM messages AS m
    JOIN config.marks AS mark ON mark.source = '${source}' AND starts_with_any(slack_start(m.words), mark.marks)
    WHERE slack_is_said(m.subtype, m.bot_id) OR m.is_pinned
),
noted AS (
    SELECT channel_id AS external_id, ts || '/' || event_type AS event_id, event_type,
        CASE WHEN is_pinned THEN 'pin' ELSE 'message' END AS vendor_type, marked_at AS happened_at, actor, actor_kind, words AS notes,
        'derived' AS provenance, landed_in
    FROM marked
    UNION ALL
    SELECT m.channel_id, m.ts || '/pin', 'note', 'pin', m.sent_at, m.actor, m.actor_kind, m.words, 'api', m.landed_in
    FROM messages AS m
    ANTI JOIN marked AS mark ON mark.channel_id = m.channel_id AND mark.ts = m.ts
    WHERE m.is_pinned AND m.words IS NOT NULL
),
told AS (
    SELECT m.channel_id AS external_id, m.ts || '/' || t.place || '/' || coalesce(t.event_type, t.kind) AS event_id,
        coalesce(t.event_type, 'severity_changed') AS event_type, t.place AS vendor_type, m.sent_at AS happened_at, m.actor, m.actor_kind,
        m.words AS notes, 'api' AS provenance, CASE WHEN t.kind = 'severity' THEN t.before END AS severity_from,
        t.severity AS severity_to, m.landed_in
    FROM staging.${source}_told AS t
    JOIN messages AS m ON m.channel_id = t.channel_id AND m.ts = t.ts
    WHERE t.event_type IS NOT NULL OR t.severity IS NOT NULL
    UNION ALL
    SELECT m.channel_id, m.ts || '/' || t.place || '/reopened', 'reopened', t.place, m.sent_at, m.actor, m.actor_kind, m.words, 'derived',
        NULL, NULL, m.landed_in
    FROM staging.${source}_told AS t
    JOIN messages AS m ON m.channel_id = t.channel_id AND m.ts = t.ts
    WHERE t.before IN ('resolved', 'closed') AND t.event_type NOT IN ('resolved', 'closed', 'reopened')
),
archived AS (
    SELECT m.channel_id AS external_id, m.ts || '/archived' AS event_id, 'closed' AS event_type, 'channel_archive' AS vendor_type,
        m.sent_at AS happened_at, m.actor, m.actor_kind, 'api' AS provenance, m.landed_in
    FROM staging.${source}_archivings AS a
    JOIN messages AS m ON m.channel_id = a.channel_id AND m.ts = a.ts
    WHERE NOT a.is_bulk
),
everything AS (
    SELECT * FROM created
    UNION ALL BY NAME SELECT * FROM noted
    UNION ALL BY NAME SELECT * FROM told
    UNION ALL BY NAME SELECT * FROM archived
)
SELECT
    '${source}' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, notes, provenance,
    severity_from, severity_to, landed_in
FROM everything
