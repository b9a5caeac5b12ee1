"""What the CRM tells by itself: that an account was changed, and that a prospect is to become a customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kit.host import Host

__all__ = ["ChangeNews"]

_SILENT = frozenset({"LastModifiedDate", "SystemModstamp", "Version__c"})
"""Fields that change with every write."""

_PENDING = "Pending"


class ChangeNews:
    """Queues news of accounts, within the transaction of the change."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._webhooks = host.webhooks

    def account_changed(self, before: Mapping[str, Any], after: Mapping[str, Any], origin: str) -> None:
        """Tell of a change that ``origin`` (a client's name, empty for people) made."""
        changed = sorted(name for name, value in after.items() if value != before[name] and name not in _SILENT)
        told = {"occurredAt": after["LastModifiedDate"], "origin": origin, "account": _account(after)}
        if after["Crossdock_Id__c"] is not None:
            if changed:
                key = f"{after['Id']}:{after['Version__c']}:{after['LastModifiedDate']}"
                self._webhooks.send("account.changed", {**told, "changed": changed}, key=key)
        elif "Account_Status__c" in changed and after["Account_Status__c"] == _PENDING:
            key = f"{after['Id']}:{after['Version__c']}"
            told |= {"contact": self._contact(after["Id"]), "parentKey": self._parent_key(after["ParentId"])}
            self._webhooks.send("onboarding.requested", told, key=key)

    def _contact(self, account_id: str) -> dict[str, Any] | None:
        sql = 'SELECT "Name", "Email" FROM "Contact" WHERE "AccountId" = ? AND NOT "IsDeleted" ORDER BY "Id" LIMIT 1'
        row = self._store.one(sql, (account_id,))
        return None if row is None else {"name": row["Name"], "email": row["Email"]}

    def _parent_key(self, parent_id: str | None) -> str | None:
        row = self._store.one('SELECT "Crossdock_Id__c" AS key FROM "Account" WHERE "Id" = ?', (parent_id,))
        return None if row is None else row["key"]


def _account(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "key": row["Crossdock_Id__c"],
        "version": int(row["Version__c"] or 1),
        "name": row["Name"],
        "legalName": row["Legal_Name__c"],
        "currency": row["CurrencyIsoCode"],
        "billing": {
            "street": row["BillingStreet"],
            "city": row["BillingCity"],
            "state": row["BillingState"],
            "postalCode": row["BillingPostalCode"],
            "country": row["BillingCountry"],
        },
    }
