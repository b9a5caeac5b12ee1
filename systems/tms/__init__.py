"""The transport system."""

from systems.tms.connector import Tms, TmsSettings
from systems.tms.webhooks import read_news

__all__ = ["Tms", "TmsSettings", "read_news"]
