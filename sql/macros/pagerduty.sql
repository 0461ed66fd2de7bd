-- What the SQL of PagerDuty shares.

-- Whether a log entry of this type is known to say nothing about the life of an incident: who was notified, assigned, added.
CREATE OR REPLACE MACRO pagerduty_is_routine(vendor_type) AS vendor_type IN (
    'assign', 'custom_field_value_change', 'delegate', 'escalate', 'event_rule_action', 'exhaust_escalation_path',
    'field_value_change', 'link', 'notify', 'reach_ack_limit', 'reach_trigger_limit', 'reassign', 'repeat_escalation_path',
    'responder_request', 'service_change', 'trigger', 'unlink');
