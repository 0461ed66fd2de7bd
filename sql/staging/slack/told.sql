/*
description = """What topics and the bots of incident tools say about status and severity, one row a word, in the order in which it was said. A word
that says again what was said last, such as a topic that only got another link, is left out: it is no second resolve."""

[columns]
channel_id = "channel"
ts = "message that says so"
place = "topic or tool"
kind = "status or severity"
word = "the word as written"
event_type = "what a status means; NULL for a severity"
before = "event_type of the status before, or the severity before"
severity = "SEV1..SEV4 of a severity; NULL for a status"
*/
WITH spoken AS (
    SELECT m.channel_id, m.ts, m.sent_at, 'topic' AS place, unnest(slack_parts(slack_text(m.changed_to))) AS word
    FROM raw.${source}_messages AS m
    WHERE m.subtype = 'channel_topic'
    UNION ALL
    SELECT m.channel_id, m.ts, m.sent_at, 'topic', slack_severity(slack_text(m.changed_to))
    FROM raw.${source}_messages AS m
    WHERE m.subtype = 'channel_topic'
    UNION ALL
    SELECT b.channel_id, b.ts, b.sent_at, 'tool', trim(unnest(found_by(b.words, p.value)))
    FROM (
        SELECT channel_id, ts, sent_at, words, unnest(bot_names) AS bot FROM raw.${source}_messages WHERE bot_id IS NOT NULL
    ) AS b
    JOIN config.source_settings AS p ON p.source = '${source}' AND p.setting = 'tool' AND normalized(p.key) = normalized(b.bot)
),
words AS (
    SELECT DISTINCT word, normalized(word) AS normal FROM spoken WHERE word IS NOT NULL
),
meant AS (
    SELECT w.word, s.event_type, v.severity
    FROM words AS w
    LEFT JOIN config.statuses AS s ON s.source = '${source}' AND s.scope = '' AND line_fits(s.word, s.is_prefix, w.normal)
    LEFT JOIN config.severities AS v ON v.source = '${source}' AND v.word = w.normal
    QUALIFY row_number() OVER (PARTITION BY w.word ORDER BY line_rank(s.scope, s.is_prefix, s.word) DESC NULLS LAST) = 1
),
told AS (
    SELECT
        s.channel_id, s.ts, s.sent_at, s.place, CASE WHEN m.severity IS NOT NULL THEN 'severity' ELSE 'status' END AS kind,
        min(s.word) AS word, m.event_type, m.severity
    FROM spoken AS s
    JOIN meant AS m ON m.word = s.word
    -- A topic holds all kinds of words; what a tool's pattern finds is a status, known or not.
    WHERE m.event_type IS NOT NULL OR m.severity IS NOT NULL OR s.place = 'tool'
    GROUP BY ALL
),
ordered AS (
    SELECT *, lag(coalesce(event_type, severity)) OVER (PARTITION BY channel_id, kind ORDER BY sent_at, ts, place, word) AS before
    FROM told
    WHERE event_type IS NOT NULL OR severity IS NOT NULL
)
SELECT channel_id, ts, place, kind, word, CASE WHEN kind = 'status' THEN event_type END AS event_type, before, severity
FROM ordered
WHERE before IS DISTINCT FROM coalesce(event_type, severity)
UNION ALL
SELECT channel_id, ts, place, kind, word, NULL, NULL, NULL
FROM told
WHERE event_type IS NULL AND severity IS NULL
