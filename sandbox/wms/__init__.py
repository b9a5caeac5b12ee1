"""A warehouse management system to run against."""
