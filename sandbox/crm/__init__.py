"""The CRM sandbox."""
