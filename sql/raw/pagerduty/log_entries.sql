/*
description = """PagerDuty log entries: the append-only history that acknowledgement and resolve times come from. The feed
names an incident's id, agent and channel; types outside the documented list are kept as sent."""
key = ["external_id"]
by_record = true

[columns]
external_id = "id of the log entry"
incident_id = "incident it belongs to"
entry_type = "type without its `_log_entry` ending, such as acknowledge or resolve"
created_at = "when it happened"
agent_type = "kind of agent: user, service, integration, ...; NULL where none is named"
agent_name = "name of the agent"
channel_type = "how it was done: web_trigger, api, timeout, note, ...; absent on some types"
note = "text of a note or status update"
old_priority = "name of the priority before a change"
new_priority = "name of the priority after a change"
new_service_id = "service after a move"
notified = "name of the user that a notification went to"
named = "pages of records that the event behind a trigger names"
alert_key = "deduplication key of the event behind a trigger (PagerDuty REST API reference, Channel, incident_key)"
changed = "JSON of the changed fields of a custom-field entry"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    id AS external_id,
    incident.id AS incident_id,
    -- The reference says acknowledge_log_entry, one of its own sub-schemas acknowledgement_log_entry: both are taken.
    replace(without_end(without_end(lower(type), '_log_entry_reference'), '_log_entry'), 'acknowledgement', 'acknowledge') AS entry_type,
    instant(created_at, zone) AS created_at,
    without_end(agent.type, '_reference') AS agent_type,
    agent.summary AS agent_name,
    channel.type AS channel_type,
    coalesce(text_or_null(note), text_or_null(message), text_or_null(channel.message), text_or_null(channel.content),
        CASE WHEN channel.type = 'note' THEN text_or_null(channel.summary) END) AS note,
    coalesce(channel.old_priority.name, channel.old_priority.summary) AS old_priority,
    coalesce(channel.new_priority.name, channel.new_priority.summary) AS new_priority,
    channel.new_service.id AS new_service_id,
    CASE WHEN starts_with(lower(type), 'notify_') THEN text_or_null("user".summary) END AS notified,
    CASE WHEN starts_with(lower(type), 'trigger_') THEN record_pages_in(concat_ws(' ', channel.description, channel.details, channel.body)) END
        AS named,
    CASE WHEN starts_with(lower(type), 'trigger_') THEN text_or_null(channel.incident_key) END AS alert_key,
    changeset AS changed,
    CASE
        WHEN is_blank(id) THEN 'no id'
        WHEN is_blank(incident.id) THEN 'no incident'
        ELSE instant_problem('created_at', created_at, instant(created_at, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', type: 'VARCHAR', created_at: 'VARCHAR', note: 'VARCHAR', message: 'VARCHAR', changeset: 'VARCHAR',
    incident: 'STRUCT(id VARCHAR)',
    agent: 'STRUCT("type" VARCHAR, summary VARCHAR)', "user": 'STRUCT(summary VARCHAR)',
    channel: 'STRUCT("type" VARCHAR, summary VARCHAR, content VARCHAR, message VARCHAR, description VARCHAR, details VARCHAR, body VARCHAR,
        incident_key VARCHAR, old_priority STRUCT("name" VARCHAR, summary VARCHAR), new_priority STRUCT("name" VARCHAR, summary VARCHAR),
        new_service STRUCT(id VARCHAR))'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
