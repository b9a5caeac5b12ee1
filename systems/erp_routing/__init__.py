"""Several ERPs as one: every question goes where the account is at home, and to no other."""

from systems.erp_routing.account_homes import AccountHomes
from systems.erp_routing.connector import ErpRouting
from systems.erp_routing.route import AnyErp

__all__ = ["AccountHomes", "AnyErp", "ErpRouting"]
