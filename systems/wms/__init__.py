"""The warehouse system."""

from systems.wms.connector import Wms, WmsSettings
from systems.wms.webhooks import read_news

__all__ = ["Wms", "WmsSettings", "read_news"]
