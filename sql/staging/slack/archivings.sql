/*
description = """The last archiving of each channel that is archived now. Somebody who archives many channels at once tidies up: that is no close of
their incidents."""
unique = [["channel_id"]]

[columns]
channel_id = "channel"
ts = "the message that says so"
is_bulk = "whether the same one archived at least five channels within ten minutes"
*/
WITH archived AS (
    SELECT m.channel_id, m.ts, m.sent_at, m.user_id
    FROM raw.${source}_messages AS m
    WHERE m.subtype = 'channel_archive'
    QUALIFY row_number() OVER (PARTITION BY m.channel_id ORDER BY m.sent_at DESC, m.ts DESC) = 1
),
begun AS (
    SELECT *, count(*) OVER (
        PARTITION BY user_id ORDER BY sent_at RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING) AS n
    FROM archived
),
counted AS (
    SELECT *, max(n) OVER (
        PARTITION BY user_id ORDER BY sent_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) AS most
    FROM begun
)
SELECT c.channel_id, c.ts, c.most >= 5 AS is_bulk
FROM counted AS c
SEMI JOIN raw.${source}_channels AS r ON r.external_id = c.channel_id AND r.is_archived
