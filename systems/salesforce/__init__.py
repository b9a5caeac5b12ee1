"""The CRM: Salesforce's REST API."""

from systems.salesforce.connector import Salesforce, SalesforceSettings

__all__ = ["Salesforce", "SalesforceSettings"]
