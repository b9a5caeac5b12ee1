"""A transport management system to run against."""
