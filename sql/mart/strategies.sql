/*
description = """The catalogue of improvement strategies that recommendations selects from. Impact and effort are judgements of what is
usual; adapt them to your organisation."""
published = true
not_null = ["strategy_id", "phase", "topic", "impact", "effort", "strategy"]
unique = [["strategy_id"]]

[assert]
known_impact = "impact IN ('high', 'medium', 'low')"
known_effort = "effort IN ('high', 'medium', 'low')"

[columns]
strategy_id = "S-<phase>-<number>"
phase = "phase that the strategy shortens"
place = "number within the phase"
topic = "name of the strategy"
impact = "high, medium or low"
effort = "high, medium or low"
strategy = "what to do, and where to start"
caution = "why the strategy can shorten the phase without helping users; NULL when there is no such doubt"
*/
SELECT
    'S-' || code || '-' || place AS strategy_id, phase, place, topic, impact, effort, strategy, caution
FROM (VALUES
    ('detection', 'DET', 1, 'Synthetic monitoring', 'high', 'medium', 'Run the most important user journeys against production every minute, from outside, and raise an alert when two runs in a row fail. Start with sign-in and with what earns the most money.', NULL),
    ('detection', 'DET', 2, 'Anomaly detection', 'high', 'high', 'Alert when traffic, error rate or latency leave their usual range for the hour of the week; fixed thresholds miss such changes. Start with one service whose incidents users reported first.', NULL),
    ('detection', 'DET', 3, 'Less alert noise', 'medium', 'low', 'List the alerts of the last 30 days that nobody acted on. Delete them, lower their urgency or group them, so that responders read the remaining ones.', NULL),
    ('detection', 'DET', 4, 'Distributed tracing', 'medium', 'medium', 'Pass one trace id through every call, so that an error deep in the system is visible at the entry point that users reach. Start with the calls between the three services with the most incidents.', NULL),
    ('detection', 'DET', 5, 'Canary deployments', 'high', 'medium', 'Send a small share of the traffic to a new release first, compare its errors and latency with those of the old version, and stop the release automatically when they differ.', NULL),
    ('acknowledgment', 'ACK', 1, 'On-call schedules across time zones', 'high', 'high', 'Split the schedule so that everybody is on call during their own daytime. If there are not enough people, share the nights between teams instead of leaving them to one team.', NULL),
    ('acknowledgment', 'ACK', 2, 'Several notification channels with escalation', 'high', 'low', 'Notify by push notification first, then by phone, then notify a second responder, a few minutes apart. Send a drill every week to find channels that no longer work.', NULL),
    ('acknowledgment', 'ACK', 3, 'Acknowledge on view', 'low', 'low', 'Count an incident as acknowledged when a responder opens it.', 'It shortens the time to acknowledge without a faster response; compare the investigation phase before and after.'),
    ('acknowledgment', 'ACK', 4, 'Mobile response', 'medium', 'low', 'Let responders acknowledge, reassign and look at dashboards on a phone, and test this away from the desk.', NULL),
    ('investigation', 'INV', 1, 'Runbooks', 'high', 'medium', 'Write a runbook for every alert that fired more than twice: what it means, its three most common causes, and how to tell them apart. Link it from the alert, and improve it after every use.', NULL),
    ('investigation', 'INV', 2, 'Automated diagnostics', 'high', 'high', 'When an incident begins, automatically collect what a responder would look up: recent deploys, error samples, saturation, health of the dependencies. Post it into the incident.', NULL),
    ('investigation', 'INV', 3, 'Central observability', 'high', 'high', 'Bring the logs, metrics and traces of all services into one place with common names and ids, so that responders do not need to know where to look.', NULL),
    ('investigation', 'INV', 4, 'Dependency maps', 'medium', 'medium', 'Map which service calls which, from traces or configuration. Update the map automatically, and show next to each service which upstream and downstream services have problems.', NULL),
    ('investigation', 'INV', 5, 'Game days', 'medium', 'medium', 'Break something on purpose once a month, with the people on call, and write down what they could not find.', NULL),
    ('mitigation', 'MIT', 1, 'Feature flags', 'high', 'medium', 'Put every risky change behind a flag that people on call can turn off without a release. Test the flags before they are needed.', NULL),
    ('mitigation', 'MIT', 2, 'Automated rollback', 'high', 'medium', 'Return to the last good version automatically when a release fails its health checks, and with one command at any other time. Keep database changes backward compatible.', NULL),
    ('mitigation', 'MIT', 3, 'Circuit breakers', 'medium', 'medium', 'Stop calling a dependency that does not answer, fail fast, and retry carefully, so that one slow dependency does not take down its callers.', NULL),
    ('mitigation', 'MIT', 4, 'Graceful degradation', 'medium', 'high', 'Decide for every dependency what users get when it is unavailable: yesterday''s data, a shorter page, a queue. Build that, and test it.', NULL),
    ('mitigation', 'MIT', 5, 'Pre-approved actions', 'medium', 'low', 'Agree in advance which restarts, failovers and rollbacks people on call may perform without asking, and document this where they look first.', NULL),
    ('mitigation', 'MIT', 6, 'Auto-scaling', 'medium', 'medium', 'Let capacity follow the load, with headroom for the time that a new instance needs to start, and alert before the upper limit is reached.', NULL)
) AS s (phase, code, place, topic, impact, effort, strategy, caution)
ORDER BY CASE code WHEN 'DET' THEN 1 WHEN 'ACK' THEN 2 WHEN 'INV' THEN 3 ELSE 4 END, place
