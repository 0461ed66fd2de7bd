"""The incident channels of the errors benchmark, as its raw tables hold them, and which tables are made of them.

Of 40 messages in a channel, three set the topic and tell a status, two are of an incident tool, one archives the channel, and 34 are
of people: one marks the mitigation, one is a pinned note, one names the ticket of an incident. Everything lies within two hours.
"""

from __future__ import annotations

#: In the order in which they are made.
TABLES = tuple(
    f"staging.slack_{name}"
    for name in ("channels", "told", "archivings", "records", "events", "responders", "links", "findings", "words")
)
#: How many rows the tables have that tell of incidents.
COUNTED = " UNION ALL ".join(
    f"SELECT '{name}', count(*) FROM staging.slack_{name}" for name in ("records", "events", "responders", "links")
)
GENERATE = """
INSERT INTO raw.slack_users BY NAME
SELECT 'U' || i AS external_id, 'Person ' || i AS name, false AS is_bot, 'file' AS landed_in FROM range(500) AS r(i);
CREATE TABLE main.given_channels AS
SELECT i, 'C' || i AS id, TIMESTAMP '{as_of}' - to_seconds(7200 + (uniform(i, 31) * 700 * 86400)::BIGINT) AS began_at,
    'https://acme.pager.example/incidents/Q' || (hash(i) % {incidents}) AS page
FROM range({channels}) AS r(i);
INSERT INTO raw.slack_channels BY NAME
SELECT id AS external_id, 'inc-' || i || '-checkout' AS name, ['inc-' || i || '-checkout'] AS names,
    'https://acme.chat.example' AS site_url, 'SEV' || (1 + i % 4) || ' | Status: resolved | IC: Ana | ' || page AS topic,
    'Payments fail' AS purpose, began_at AS created_at, began_at + INTERVAL 2 HOUR AS updated_at, i % 2 = 0 AS is_archived,
    false AS is_private, true AS is_readable, 'file' AS landed_in
FROM main.given_channels;
INSERT INTO raw.slack_messages BY NAME
WITH said AS (
    SELECT c.*, m, began_at + to_seconds(60 + m * 170) AS sent_at
    FROM main.given_channels AS c CROSS JOIN range(40) AS r(m)
    WHERE m < 39 OR c.i % 2 = 0
)
SELECT id || '/' || epoch(sent_at)::BIGINT || '.000100' AS external_id, id AS channel_id, epoch(sent_at)::BIGINT || '.000100' AS ts,
    sent_at,
    CASE WHEN m IN (0, 15, 30) THEN 'channel_topic' WHEN m = 39 THEN 'channel_archive' END AS subtype,
    CASE WHEN m NOT IN (3, 20) THEN 'U' || (hash(i * 100 + m % 7) % 500) END AS user_id,
    CASE WHEN m IN (3, 20) THEN 'B1' END AS bot_id, CASE WHEN m IN (3, 20) THEN ['incident.io'] END AS bot_names,
    CASE m WHEN 3 THEN 'Status changed to Investigating by Ana' WHEN 20 THEN 'Status changed to Monitoring by Ana'
        WHEN 14 THEN 'Mitigated: rolled back' WHEN 25 THEN 'See OPS-' || (hash(i) % {incidents})
        ELSE 'The queue of web-' || (m % 9) || ' grows, looking at the graphs' END AS words,
    words AS text_sent,
    CASE m WHEN 0 THEN 'SEV3 | Status: investigating' WHEN 15 THEN 'SEV' || (1 + i % 4) || ' | Status: mitigated'
        WHEN 30 THEN 'SEV' || (1 + i % 4) || ' | Status: resolved | IC: Ana | ' || page END AS changed_to,
    CASE WHEN m IN (3, 30) THEN [page] END AS named,
    CASE WHEN m = 10 THEN sent_at + INTERVAL 10 MINUTE END AS edited_at, 'file' AS landed_in
FROM said;
INSERT INTO raw.slack_pins BY NAME
SELECT channel_id AS external_id, list(ts) AS pinned, 'file' AS landed_in
FROM raw.slack_messages AS m
JOIN main.given_channels AS c ON c.id = m.channel_id AND m.sent_at = c.began_at + to_seconds(60 + 12 * 170)
GROUP BY channel_id;
INSERT INTO raw.slack_bookmarks BY NAME
SELECT id AS external_id, [{{'title': 'Page', 'link': page}}] AS bookmarks, 'file' AS landed_in FROM main.given_channels
"""
