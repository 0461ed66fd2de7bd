/*
description = """The catalogue of improvement strategies that recommendations picks from. Impact and effort are judgements of what
is usual; weigh them against your own."""
published = true
not_null = ["strategy_id", "phase", "topic", "impact", "effort", "strategy"]
unique = [["strategy_id"]]

[assert]
known_impact = "impact IN ('high', 'medium', 'low')"
known_effort = "effort IN ('high', 'medium', 'low')"

[columns]
strategy_id = "S-<phase>-<number>"
phase = "phase it shortens"
place = "number within the phase"
topic = "its name"
impact = "high, medium or low"
effort = "high, medium or low"
strategy = "what to do, and how to begin"
caution = "why it may move the number without helping anybody; NULL when there is no such doubt"
*/
SELECT
    'S-' || code || '-' || place AS strategy_id, phase, place, topic, impact, effort, strategy, caution
FROM (VALUES
    ('detection', 'DET', 1, 'Synthetic monitoring', 'high', 'medium', 'Play the most important user journeys against production every minute, from outside, and page when two runs in a row fail. Begin with sign-in and whatever earns the money.', NULL),
    ('detection', 'DET', 2, 'Anomaly detection', 'high', 'high', 'Alert on traffic, error rate and latency that leave their usual band for the hour of the week, where fixed thresholds are blind. Begin with one service whose incidents users reported first.', NULL),
    ('detection', 'DET', 3, 'Less alert noise', 'medium', 'low', 'List the alerts that nobody acted on in the last 30 days; delete them, lower their urgency, or group them. What remains is read.', NULL),
    ('detection', 'DET', 4, 'Distributed tracing', 'medium', 'medium', 'Carry one trace id through every call, so that an error deep inside shows up at the entry point that users meet. Begin with the calls between the three services with most incidents.', NULL),
    ('detection', 'DET', 5, 'Canary deployments', 'high', 'medium', 'Give a release to a small share of the traffic first, compare its errors and latency with the old version, and stop it by itself when they differ.', NULL),
    ('acknowledgment', 'ACK', 1, 'On-call schedules across time zones', 'high', 'high', 'Split the rota so that everybody is on call in their own day. Where there are not enough people, share nights between teams instead of leaving them to one.', NULL),
    ('acknowledgment', 'ACK', 2, 'Several notification channels with escalation', 'high', 'low', 'Page by push first, then by phone, then the second responder, a few minutes apart. Send a drill page every week to find the channel that no longer works.', NULL),
    ('acknowledgment', 'ACK', 3, 'Acknowledge on view', 'low', 'low', 'Let the incident count as taken when a responder opens it.', 'It lowers the time to acknowledge without a faster response; compare the investigation phase before and after.'),
    ('acknowledgment', 'ACK', 4, 'Mobile response', 'medium', 'low', 'Make acknowledging, reassigning and the first look at dashboards work from a phone, and try it away from the desk.', NULL),
    ('investigation', 'INV', 1, 'Runbooks', 'high', 'medium', 'For every alert that fired more than twice: what it means, the three commonest causes, how to tell them apart. Link it from the alert, and mend it after every use.', NULL),
    ('investigation', 'INV', 2, 'Automated diagnostics', 'high', 'high', 'When the page goes out, collect what a responder would: recent deploys, error samples, saturation, health of what it depends on, and post it into the incident.', NULL),
    ('investigation', 'INV', 3, 'Central observability', 'high', 'high', 'Bring logs, metrics and traces of all services into one place with common names and ids, so that nobody has to know where to look.', NULL),
    ('investigation', 'INV', 4, 'Dependency maps', 'medium', 'medium', 'Draw who calls whom from traces or configuration, keep it current by machine, and show next to each service what is unwell upstream and downstream.', NULL),
    ('investigation', 'INV', 5, 'Game days', 'medium', 'medium', 'Break something on purpose once a month, with the people on call, and write down what they could not find.', NULL),
    ('mitigation', 'MIT', 1, 'Feature flags', 'high', 'medium', 'Put every risky change behind a switch that people on call may turn off without a release. Try the switches before they are needed.', NULL),
    ('mitigation', 'MIT', 2, 'Automated rollback', 'high', 'medium', 'Go back to the last good version by itself when a release fails its health checks, and with one command at any other time. Keep database changes backward compatible.', NULL),
    ('mitigation', 'MIT', 3, 'Circuit breakers', 'medium', 'medium', 'Stop calling what does not answer, fail fast, and try again carefully, so that one slow dependency does not take its callers down.', NULL),
    ('mitigation', 'MIT', 4, 'Graceful degradation', 'medium', 'high', 'Decide for every dependency what users get when it is gone: yesterday''s data, a shorter page, a queue. Build that, and test it.', NULL),
    ('mitigation', 'MIT', 5, 'Pre-approved actions', 'medium', 'low', 'Agree beforehand which restarts, failovers and roll-backs people on call may do without asking, and write it where they look.', NULL),
    ('mitigation', 'MIT', 6, 'Auto-scaling', 'medium', 'medium', 'Let capacity follow load, with headroom for the time a new instance needs, and alert when the upper limit comes near.', NULL)
) AS s (phase, code, place, topic, impact, effort, strategy, caution)
ORDER BY CASE code WHEN 'DET' THEN 1 WHEN 'ACK' THEN 2 WHEN 'INV' THEN 3 ELSE 4 END, place
