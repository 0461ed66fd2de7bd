/*
description = """What each record of a group says about each stamp of their incident, and how much it counts. The row with the smallest rank,
then order_us, then precedence gives the stamp. Rows of one rank say the same thing: where two sources differ there, it is a conflict.
Stamps that an integration copied are no evidence. Merged records give detection and acknowledgement only, alerts that page for the
incident the acknowledgement only.
occurred, root_cause_found: the ticket's, else by precedence. detected: the earliest by a pager, an alert or a field of a ticket; the
creation of a ticket only where nothing else detected, that of a channel where there is no ticket either. acknowledged: the earliest by a person in a pager, else the earliest in a
pager, a ticket, an alert, a channel. investigating: by precedence. mitigated: a field, else a status, else a note. resolved: the last one
of the pagers; where they have none, and where there is no pager, the last one of the tickets; of alerts where there is neither, of channels
where there is nothing else. closed: the ticket's, where its resolve counts as the close beside a pager; else by precedence."""
not_null = ["incident_id", "stamp", "rank", "order_us", "precedence", "source", "at"]
unique = [["incident_id", "stamp", "precedence"]]

[columns]
incident_id = "incident of the group"
stamp = "name of the stamp: occurred .. closed"
rank = "kind of evidence, 1 for the best"
order_us = "microseconds that order rows of one rank: the earliest or the last instant is the smallest; 0 where precedence alone decides"
precedence = "place of the record in the group; a ticket's is before all others where tickets are asked first"
source = "source of the record that says so"
at = "what it says. UTC"
provenance = "where that comes from; imputed where a close stands for a resolve"
*/
WITH spoken AS (
    SELECT m.incident_id, m.precedence, m.is_full, m.is_responder, s.*
    FROM core.members AS m
    JOIN core.standalone AS s ON s.record_id = m.record_id
    WHERE NOT m.is_silent
),
present AS (
    SELECT
        incident_id,
        bool_or(role = 'pager') AS pager, bool_or(role = 'ticket') AS ticket, bool_or(role = 'machine alert') AS alert,
        bool_or(role = 'pager' AND resolved_at IS NOT NULL) AS pager_resolved
    FROM spoken
    WHERE is_full
    GROUP BY incident_id
),
said AS (
    SELECT
        s.*, p.pager, p.ticket, p.alert, p.pager_resolved, run.correlates,
        -- Tickets first; the others after them in their order.
        CASE WHEN s.role = 'ticket' THEN s.precedence - 1000000000 ELSE s.precedence END AS ticket_first
    FROM spoken AS s
    JOIN present AS p ON p.incident_id = s.incident_id
    CROSS JOIN config.run AS run
)
SELECT incident_id, 'occurred' AS stamp, 1 AS rank, 0 AS order_us, ticket_first AS precedence, source, occurred_at AS "at",
    occurred_provenance AS provenance
FROM said
WHERE is_full AND occurred_at IS NOT NULL AND copied_stamps & 1 = 0
UNION ALL
SELECT incident_id, 'detected',
    CASE
        WHEN NOT correlates OR role IN ('pager', 'machine alert') OR detected_provenance = 'field' THEN 1
        WHEN role = 'channel' THEN 3
        ELSE 2
    END,
    epoch_us(detected_at), precedence, source, detected_at, detected_provenance
FROM said
WHERE (is_full OR NOT is_responder) AND detected_at IS NOT NULL AND copied_stamps & 2 = 0
UNION ALL
SELECT incident_id, 'acknowledged',
    CASE
        WHEN NOT correlates THEN 1
        WHEN role = 'pager' THEN CASE WHEN is_machine(acknowledged_by) THEN 2 ELSE 1 END
        ELSE 1 + list_position(['pager', 'ticket', 'machine alert', 'channel'], role)
    END,
    epoch_us(acknowledged_at), precedence, source, acknowledged_at, acknowledged_provenance
FROM said
WHERE acknowledged_at IS NOT NULL AND copied_stamps & 4 = 0
UNION ALL
SELECT incident_id, 'investigating', 1, 0, precedence, source, investigating_at, investigating_provenance
FROM said
WHERE is_full AND investigating_at IS NOT NULL AND copied_stamps & 8 = 0
UNION ALL
SELECT incident_id, 'root_cause_found', 1, 0, ticket_first, source, root_cause_found_at, root_cause_found_provenance
FROM said
WHERE is_full AND root_cause_found_at IS NOT NULL AND copied_stamps & 16 = 0
UNION ALL
SELECT incident_id, 'mitigated', CASE mitigated_provenance WHEN 'field' THEN 1 WHEN 'derived' THEN 3 ELSE 2 END, 0, precedence, source,
    mitigated_at, mitigated_provenance
FROM said
WHERE is_full AND mitigated_at IS NOT NULL AND copied_stamps & 32 = 0
UNION ALL
SELECT incident_id, 'resolved', list_position(['pager', 'ticket', 'machine alert', 'channel'], role), -epoch_us(resolved_at), precedence,
    source, resolved_at, CASE WHEN pager AND role = 'ticket' THEN 'imputed' ELSE resolved_provenance END
FROM said
WHERE is_full AND resolved_at IS NOT NULL AND copied_stamps & 64 = 0
    AND CASE role
        WHEN 'pager' THEN true
        WHEN 'ticket' THEN NOT pager_resolved
        WHEN 'machine alert' THEN NOT pager AND NOT ticket
        ELSE NOT pager AND NOT ticket AND NOT alert
    END
UNION ALL
SELECT incident_id, 'closed', CASE WHEN role = 'ticket' THEN 1 ELSE 2 END, 0, precedence, source,
    coalesce(closed_at, resolved_at), CASE WHEN closed_at IS NOT NULL THEN closed_provenance ELSE resolved_provenance END
FROM said
WHERE is_full AND (
    (closed_at IS NOT NULL AND copied_stamps & 128 = 0)
    OR (closed_at IS NULL AND resolved_at IS NOT NULL AND role = 'ticket' AND pager AND copied_stamps & 64 = 0))
