"""What the CRM tells by itself: of accounts and what belongs to them, and that a prospect is to become a customer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sandbox.crm.objects import SObject
from sandbox.kit.host import Host

__all__ = ["ChangeNews"]

_SILENT = frozenset({"LastModifiedDate", "SystemModstamp", "Version__c"})
"""Fields that change with every write."""

_PENDING = "Pending"

_BELONGINGS = {
    "Contact": "contact.changed",
    "Opportunity": "opportunity.changed",
    "Case": "case.changed",
    "Quote": "quote.changed",
}
"""Objects whose changes are told, and as what."""


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

    def belonging_changed(self, target: SObject, row: Mapping[str, Any], origin: str, changed: tuple[str, ...]) -> None:
        """Tell of a change of what belongs to an account; of an account without a key nobody else knows anything."""
        kind = _BELONGINGS.get(target.name)
        if kind is None or not changed or row["Crossdock_Id__c"] is None:
            return
        sql = 'SELECT "Crossdock_Id__c" AS key, "Version__c" AS version FROM "Account" WHERE "Id" = ?'
        account = self._store.one(sql, (row["AccountId"],))
        if account is None or account["key"] is None:
            return
        told = {
            "occurredAt": row["LastModifiedDate"],
            "origin": origin,
            "account": {"key": account["key"], "version": int(account["version"] or 1)},
            "changed": list(changed),
            target.name.lower(): _belonging(target, row),
        }
        content = hashlib.sha256(json.dumps(dict(row), default=str, sort_keys=True).encode()).hexdigest()[:16]
        self._webhooks.send(kind, told, key=f"{row['Id']}:{row['LastModifiedDate']}:{content}")

    def _contact(self, account_id: str) -> dict[str, Any] | None:
        sql = 'SELECT "Name", "Email" FROM "Contact" WHERE "AccountId" = ? AND NOT "IsDeleted" ORDER BY "Id" LIMIT 1'
        row = self._store.one(sql, (account_id,))
        return None if row is None else {"name": row["Name"], "email": row["Email"]}

    def _parent_key(self, parent_id: str | None) -> str | None:
        row = self._store.one('SELECT "Crossdock_Id__c" AS key FROM "Account" WHERE "Id" = ?', (parent_id,))
        return None if row is None else row["key"]


def _belonging(target: SObject, row: Mapping[str, Any]) -> dict[str, Any]:
    match target.name:
        case "Case":
            return _case(row)
        case "Quote":
            return {"key": row["Crossdock_Id__c"], "number": row["QuoteNumber"], "status": row["Status"]}
    return {"key": row["Crossdock_Id__c"]}


def _case(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": row["Crossdock_Id__c"],
        "number": row["CaseNumber"],
        "status": row["Status"],
        "priority": row["Priority"],
        "channel": row["Origin"],
        "orderKey": row["Crossdock_Order_Id__c"],
        "openedAt": row["CreatedDate"],
        "firstResponseAt": row["First_Response_At__c"],
        "resolvedAt": row["Resolved_At__c"],
    }


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
