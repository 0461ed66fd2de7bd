/*
description = """Stamps of incidents on which two sources disagree by more than 15 minutes. Only the same kind of evidence is compared: the creation of a
ticket is no detection, and its resolve is none beside a pager. Stamps that an integration copied, and two records of one source, are no
conflict. Of several records of the other source, the one that is farthest off is listed."""
published = true
like = "core.incidents"
not_null = ["incident_id", "stamp", "chosen_source", "chosen_at", "other_source", "other_at", "minutes_apart"]
unique = [["incident_id", "stamp", "other_source"]]

[assert]
two_sources = "chosen_source <> other_source"
more_than_15_minutes = "minutes_apart > 15"

[columns]
incident_id = "="
stamp = "the stamp, such as detected_at"
chosen_source = "source that the stamp of the incident comes from"
chosen_at = "the stamp of the incident. UTC"
other_source = "source that says something else"
other_at = "what it says. UTC"
minutes_apart = "minutes between the two"
*/
WITH ranked AS (
    SELECT e.*, row_number() OVER (PARTITION BY e.incident_id, e.stamp ORDER BY e.rank, e.order_us, e.precedence) AS place
    FROM core.evidence AS e
    CROSS JOIN config.run AS run
    WHERE run.correlates
),
compared AS (
    SELECT c.incident_id, c.stamp, c.source AS chosen_source, c."at" AS chosen_at, o.source AS other_source, o."at" AS other_at,
        abs(epoch_us(o."at") - epoch_us(c."at")) AS apart_us
    FROM ranked AS c
    JOIN ranked AS o ON o.incident_id = c.incident_id AND o.stamp = c.stamp AND o.rank = c.rank
    WHERE c.place = 1 AND o.source <> c.source AND abs(epoch_us(o."at") - epoch_us(c."at")) > 900000000
)
SELECT incident_id, stamp || '_at' AS stamp, chosen_source, chosen_at, other_source, other_at, apart_us / 6e7 AS minutes_apart
FROM compared
QUALIFY row_number() OVER (PARTITION BY incident_id, stamp, other_source ORDER BY apart_us DESC, other_at) = 1
ORDER BY incident_id, stamp, other_source
