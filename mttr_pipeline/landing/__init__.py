"""The landing zone: records as they came (`store`), the files that describe them (`manifest`), and files of users (`readers`)."""
