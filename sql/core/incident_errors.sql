/*
description = """Issues of error trackers that are evidence of an incident, one row per incident and issue. `link`: a link joins them, or the issue is
a record of the incident. The other methods are weaker: they say that two things happened together, and join nothing. `release`: the issue
is new with the deploy that introduced the incident. `service and time`: it is of the service of the incident. Both only where the issue was
first seen while the incident lasted, or in the window of deploys (default 60 min) before it began."""
not_null = ["incident_id", "source", "external_id", "method", "is_weak"]
unique = [["incident_id", "source", "external_id"]]

[assert]
known_method = "method IN ('link', 'release', 'service and time')"
only_links_are_strong = "is_weak = (method <> 'link')"

[columns]
incident_id = "the incident"
source = "the account"
external_id = "the issue's immutable id"
method = "link, else release, else service and time"
is_weak = "whether it is no more than a coincidence in time"
minutes_from_detected = "minutes from the detection of the incident to the first event of the issue, negative before it; of a link, to the begin of its episode. NULL where one of them is unknown"
*/
WITH seen AS (
    SELECT e.source, e.external_id, e.service, epoch_us(e.first_seen_at) AS seen_us, r.deploy_no
    FROM core.errors AS e
    LEFT JOIN core.releases AS r ON r.service = e.service AND r.release = release_key(e.first_release)
    WHERE e.first_seen_at IS NOT NULL AND e.service IS NOT NULL
),
-- Trackers forget: what ended before the first event of all issues is not looked at.
lasting AS (
    SELECT incident_id, service, epoch_us(detected_at) AS detected_us, epoch_us(coalesce(occurred_at, detected_at)) - run.deploy_window_us AS from_us,
        -- Nobody knows how long an abandoned one lasted.
        greatest(epoch_us(coalesce(occurred_at, detected_at)),
            epoch_us(coalesce(resolved_at, closed_at, CASE WHEN is_abandoned THEN last_event_at END, make_timestamptz(epoch_us(run.as_of))))) AS to_us
    FROM core.incidents
    CROSS JOIN config.run AS run
    WHERE is_counted AND coalesce(occurred_at, detected_at) IS NOT NULL
        AND greatest(occurred_at, detected_at, coalesce(resolved_at, closed_at, make_timestamptz(epoch_us(run.as_of)))) >= (SELECT make_timestamptz(min(seen_us)) FROM seen)
),
-- Spans are cut into stretches that are at least as long as they are, a power of two hours: each lies in one stretch or in two.
spans AS (
    SELECT incident_id, service, detected_us, from_us, to_us, size, unnest([from_us // size, from_us // size + 1]) AS stretch
    FROM (
        SELECT *, (3600000000 * pow(2, ceil(log2(greatest(to_us - from_us, 3600000000) / 3600000000.0))))::BIGINT AS size
        FROM lasting AS l
        SEMI JOIN seen AS s ON s.service = l.service
    )
),
-- Of the same service; and of another one, where only the deploy says it: no pair is found twice.
weak AS (
    SELECT p.incident_id, s.source, s.external_id,
        CASE WHEN d.deploy_no IS NOT NULL THEN 'release' ELSE 'service and time' END AS method,
        (s.seen_us - p.detected_us) / 6e7 AS minutes_from_detected
    FROM (SELECT s.*, z.size, s.seen_us // z.size AS stretch FROM seen AS s CROSS JOIN (SELECT DISTINCT size FROM spans) AS z) AS s
    JOIN spans AS p ON p.service = s.service AND p.size = s.size AND p.stretch = s.stretch AND s.seen_us BETWEEN p.from_us AND p.to_us
    LEFT JOIN core.incident_deploys AS d ON d.incident_id = p.incident_id AND d.deploy_no = s.deploy_no
    UNION ALL
    SELECT l.incident_id, s.source, s.external_id, 'release', (s.seen_us - l.detected_us) / 6e7
    FROM core.incident_deploys AS d
    JOIN seen AS s ON s.deploy_no = d.deploy_no
    JOIN lasting AS l ON l.incident_id = d.incident_id AND l.service IS DISTINCT FROM s.service AND s.seen_us BETWEEN l.from_us AND l.to_us
),
links AS (
    SELECT e.incident_id, e.source, e.external_id, 'link' AS method,
        arg_min((epoch_us(p.began_at) - epoch_us(i.detected_at)) / 6e7, (abs(epoch_us(p.began_at) - epoch_us(i.detected_at)), e.episode)) AS minutes_from_detected
    FROM core.error_incidents AS e
    JOIN core.error_episodes AS p ON p.source = e.source AND p.external_id = e.external_id AND p.episode = e.episode
    JOIN core.incidents AS i ON i.incident_id = e.incident_id
    GROUP BY ALL
)
SELECT incident_id, source, external_id, method, false AS is_weak, minutes_from_detected FROM links
UNION ALL
SELECT w.incident_id, w.source, w.external_id, w.method, true, w.minutes_from_detected
FROM weak AS w
ANTI JOIN links AS l ON l.incident_id = w.incident_id AND l.source = w.source AND l.external_id = w.external_id
