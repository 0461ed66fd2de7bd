-- What the SQL of PagerDuty shares.

-- Whether a log entry of this type is known to say nothing about the life of an incident: who was added, what was tried.
CREATE OR REPLACE MACRO pagerduty_is_routine(vendor_type) AS vendor_type IN (
    'custom_field_value_change', 'event_rule_action', 'exhaust_escalation_path',
    'field_value_change', 'link', 'reach_ack_limit', 'reach_trigger_limit', 'repeat_escalation_path',
    'responder_request', 'service_change', 'trigger', 'unlink');
