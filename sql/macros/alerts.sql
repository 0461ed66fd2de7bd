-- What sources of the Opsgenie family share: their alerts are the same records under other names.

-- What an entry in the log of an alert stands for, by its type (or the action of a received body) where that
-- says something, else by its text.
CREATE OR REPLACE MACRO alert_log_event(kind, text) AS
    CASE
        WHEN kind IN ('acknowledge', 'acknowledged', 'ack') THEN 'acknowledged'
        WHEN kind IN ('unacknowledge', 'unacknowledged', 'unack') THEN 'unacknowledged'
        WHEN kind IN ('close', 'closed') THEN 'resolved'
        WHEN kind = 'snooze' THEN 'snoozed'
        WHEN kind = 'updatepriority' THEN 'severity_changed'
        WHEN kind IN ('assign', 'assigned', 'assignownership') THEN 'assigned'
        WHEN regexp_matches(text, '^(alert )?(was |has been )?(acknowledged|acked)\b', 'i') THEN 'acknowledged'
        WHEN regexp_matches(text, '^(alert )?(was |has been )?un-?(acknowledged|acked)\b', 'i') THEN 'unacknowledged'
        WHEN regexp_matches(text, '^(alert )?(was |has been )?(auto[- ]?)?closed\b', 'i') THEN 'resolved'
        WHEN regexp_matches(text, '^(alert )?(was |has been )?snoozed\b', 'i') THEN 'snoozed'
        WHEN regexp_matches(text, '^(updated )?(alert )?priority\b', 'i') THEN 'severity_changed'
        WHEN regexp_matches(text, '^(alert )?(was |has been )?(ownership )?assigned\b', 'i') THEN 'assigned'
        ELSE 'other'
    END;

-- Whether the text of such an entry is known to say nothing about the life of an incident: who was notified, assigned, added, shown.
CREATE OR REPLACE MACRO alert_log_is_routine(vendor_type) AS
    regexp_matches(vendor_type, '^(alert )?(was |has been )?(created|viewed|seen|assigned|escalated|routed)\b', 'i')
    OR regexp_matches(vendor_type, '^(added|removed|updated|assigned|viewed|sent|executed|notified|escalated|routed)\b', 'i')
    OR regexp_matches(vendor_type, '^(notification|note|tag|detail|extra propert|responder|team|recipient|ownership|attachment|action|description|message|entity|escalation|schedule|routing|alertrecipient|alertaction)', 'i');

-- The service that the free key-value pairs of an alert name (the first by key), and the one that a tag `service:x` names.
CREATE OR REPLACE MACRO is_service_key(key) AS replace(replace(replace(lower(key), '_', ''), '-', ''), ' ', '')
    IN ('service', 'servicename', 'affectedservice', 'affectedservices', 'impactedservice');
CREATE OR REPLACE MACRO service_in(details) AS
    json_text(list_sort(list_filter(map_entries(details), lambda d:
        is_service_key(d.key) AND json_text(d.value) IS NOT NULL))[1].value);
-- What is wrong with the pairs that could name it, and with the entity.
CREATE OR REPLACE MACRO alert_problems(details, entity) AS
    list_filter(
        list_append(
            list_transform(list_sort(map_entries(details)), lambda d:
                CASE WHEN is_service_key(d.key) THEN field_problem(d.key, d.value, 'service') END),
            field_problem('entity', entity, 'service')),
        lambda problem: problem IS NOT NULL);
CREATE OR REPLACE MACRO service_tag(tags) AS
    text_or_null(substr(list_filter(tags, lambda t: starts_with(lower(t), 'service:'))[1]::VARCHAR, 9));
