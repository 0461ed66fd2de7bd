/*
description = """The newest payload of each message of incident channels of Slack, typed. ts is the id of a message in its channel and its time,
and stays a text: as a number it would lose digits. The messages of tools have their content in blocks and attachments."""
key = ["external_id"]

[columns]
external_id = "id of the channel and ts"
channel_id = "channel that it is in"
ts = "its id in the channel"
sent_at = "when it was sent, to the second; further digits keep messages of one second in order"
thread_ts = "ts of the message that began its thread; NULL outside of threads"
subtype = "kind of message, such as channel_topic; NULL for a plain one"
user_id = "who wrote it"
bot_id = "bot that wrote it; NULL for a person"
bot_names = "names and ids by which that bot may be known"
words = "what it says, without mentions, dates, emphasis and labels of addresses"
text_sent = "text as sent"
changed_to = "topic or purpose that it sets, as sent"
named = "pages of records that it names anywhere"
edited_at = "when it was edited last; NULL when it never was"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
WITH read AS (
    SELECT
        id, channel, record, landed_in,
        coalesce(text_or_null(record.bot_id), text_or_null(record.bot_profile.id)) AS bot,
        concat_ws(chr(10),
            text_or_null(record."text"),
            slack_texts(record.blocks, '$..text'),
            slack_texts(record.attachments, '$[*].pretext'), slack_texts(record.attachments, '$[*].title'),
            slack_texts(record.attachments, '$..text'), slack_texts(record.attachments, '$[*].fields[*].value'),
            slack_texts(record.attachments, '$[*].fallback')
        ) AS everything
    FROM landed({
        id: 'VARCHAR', channel: 'VARCHAR',
        record: 'STRUCT(ts VARCHAR, thread_ts VARCHAR, subtype VARCHAR, "user" VARCHAR, bot_id VARCHAR, app_id VARCHAR, username VARCHAR,
            bot_profile STRUCT(id VARCHAR, app_id VARCHAR, "name" VARCHAR), "text" VARCHAR, topic VARCHAR, purpose VARCHAR, blocks JSON,
            attachments JSON, edited STRUCT(ts VARCHAR))'
    })
)
SELECT
    id AS external_id,
    channel AS channel_id,
    record.ts AS ts,
    slack_instant(record.ts) AS sent_at,
    text_or_null(record.thread_ts) AS thread_ts,
    text_or_null(record.subtype) AS subtype,
    text_or_null(record."user") AS user_id,
    bot AS bot_id,
    list_filter([bot, record.app_id, record.bot_profile.app_id, record.username, record.bot_profile."name"], lambda one: one IS NOT NULL)
        AS bot_names,
    -- What a person wrote is all in the text; its blocks are the same again.
    slack_text(CASE WHEN bot IS NULL AND text_or_null(record."text") IS NOT NULL THEN record."text" ELSE everything END) AS words,
    record."text" AS text_sent,
    coalesce(text_or_null(record.topic), text_or_null(record.purpose)) AS changed_to,
    record_pages_in(concat_ws(' ', record."text", record.blocks::VARCHAR, record.attachments::VARCHAR)) AS named,
    slack_instant(record.edited.ts) AS edited_at,
    CASE
        WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN text_or_null(channel) IS NULL THEN 'no channel'
        WHEN slack_instant(record.ts) IS NULL THEN 'ts is no time of Slack: ' || coalesce(left(record.ts, 40), 'missing')
    END AS reject_reason,
    landed_in
FROM read
