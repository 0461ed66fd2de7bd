/*
description = "Data quality findings about files that were imported."
view = true
like = "figures.findings_words"
*/
SELECT
    'characters_replaced' AS dq_check, source, count(*) FILTER (WHERE characters_replaced > 0) AS n, count(*) AS total, 'info' AS level,
    'records with a character that was not valid text and is replaced; if the file is not UTF-8, name its encoding in a preset'
        AS meaning,
    NULL::VARCHAR[] AS examples
FROM staging.records
GROUP BY source
HAVING count(characters_replaced) > 0
