-- What the SQL of Slack shares.

-- The instant of a ts, which is a text of seconds and digits that tell messages of one second apart. NULL for any other text.
CREATE OR REPLACE MACRO slack_instant(ts) AS
    CASE WHEN regexp_full_match(ts, '[0-9]{9,10}(\.[0-9]{1,6})?')
        THEN make_timestamp(split_part(ts, '.', 1)::BIGINT * 1000000 + rpad(split_part(ts, '.', 2), 6, '0')::BIGINT) END;

-- A text of mrkdwn as people read it: addresses without their labels, no mentions of people and groups, no dates that the reader's
-- own clock shows, no emphasis, and what Slack escapes as it was typed.
CREATE OR REPLACE MACRO slack_text(text) AS
    text_or_null(replace(replace(replace(
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(
            text,
            '<((?i:https?|mailto):[^|>]+)(?:\|[^>]*)?>', '\1', 'g'),
            '<#[A-Z0-9]+\|([^>]+)>', '#\1', 'g'),
            '<[@!#][^>]*>', '', 'g'),
            '[*~`]', '', 'g'),
        '&lt;', '<'), '&gt;', '>'), '&amp;', '&'));

-- The texts at a path in the blocks or attachments of a message, in their order, each on a line.
CREATE OR REPLACE MACRO slack_texts(value, path) AS
    text_or_null(array_to_string(list_transform(
        list_filter(json_extract(value, path), lambda part: json_type(part) = 'VARCHAR'), lambda part: part ->> '$'), chr(10)));

-- What a message begins with, where that decides: marks of quotes and italics do not count.
CREATE OR REPLACE MACRO slack_start(text) AS regexp_replace(text, '^[\s_>&]+', '');

-- Whether somebody said something: a message of a person, and none about the channel, such as that somebody joined it.
CREATE OR REPLACE MACRO slack_is_said(subtype, bot_id) AS
    bot_id IS NULL AND coalesce(subtype, 'me_message') IN ('me_message', 'thread_broadcast', 'file_share');

-- Whether a message was edited so late that it may say something else than when it was sent.
CREATE OR REPLACE MACRO slack_is_late_edit(sent_at, edited_at) AS coalesce(epoch_us(edited_at) - epoch_us(sent_at) > 300000000, false);

-- The severity that a name or topic carries, such as SEV2. NULL where there is none.
CREATE OR REPLACE MACRO slack_severity(text) AS
    'SEV' || nullif(regexp_extract(lower(text), '(?:^|[^a-z0-9])sev(?:erity)?[ _-]?([0-9])(?:[^a-z0-9]|$)', 1), '');

-- The parts of a topic that may be a status by themselves: `SEV2 | Status: mitigated | IC: Ana`.
CREATE OR REPLACE MACRO slack_parts(topic) AS
    list_filter(
        list_transform(regexp_split_to_array(topic, '\s*[|,;•·/\n]\s*|\s+[-–—]\s+'),
            lambda part: trim(regexp_replace(part, '(?i)^\s*status\s*[:=-]\s*', ''))),
        lambda part: length(part) BETWEEN 1 AND 40);

-- A topic or purpose as a title: on one line, without addresses. NULL where nothing is left.
CREATE OR REPLACE MACRO slack_title(text) AS
    nullif(regexp_replace(trim(regexp_replace(regexp_replace(slack_text(text), '(?i)\b(?:https?|mailto):\S+', '', 'g'), '\s+', ' ', 'g')),
        '^[\s|,;:-]+|[\s|,;:-]+$', '', 'g'), '');

-- Everything that a text of Slack names, each as the kind of target and the target.
CREATE OR REPLACE MACRO slack_targets(text) AS list_concat(
    list_transform(record_pages_in(text), lambda page: {'target_kind': 'url', 'target': page}),
    list_transform(keys_in(slack_text(text)), lambda key: {'target_kind': 'key', 'target': key}));
