"""A legacy ERP on premises to run against: programs behind a façade, fixed-width fields, return codes, a journal."""
