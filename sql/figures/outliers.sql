/*
description = """Incidents that some variant leaves out as an outlier. They are few, so sums are made once over all incidents and
the outliers of a variant are left out by group."""
view = true
not_null = ["incident_no", "outlier_of"]
unique = [["incident_no"]]

[columns]
incident_no = "incident, as in facts.matched"
outlier_of = "the variants that leave it out, sorted"
*/
SELECT incident_no, list(calculation_type ORDER BY calculation_type) AS outlier_of
FROM facts.population
WHERE population = 'outlier'
GROUP BY incident_no
