"""The CRM: Salesforce's REST API."""

from systems.salesforce.connector import Salesforce, SalesforceSettings
from systems.salesforce.webhooks import read_news

__all__ = ["Salesforce", "SalesforceSettings", "read_news"]
