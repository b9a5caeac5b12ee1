"""The CRM's part of a world, in the CRM's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.crm.ids import make_id
from sandbox.crm.objects import OBJECTS
from sandbox.crm.records import derived
from sandbox.crm.values import time_text
from sandbox.kit.rest import marks
from sandbox.kit.store import Store
from sandbox.world.model import WorldModel

__all__ = ["seed"]

_ACCOUNT_STATUS = {
    "PROSPECT": "Prospect",
    "PENDING": "Pending",
    "ACTIVE": "Active",
    "ON_HOLD": "On Hold",
    "INACTIVE": "Inactive",
    "MERGED": "Merged",
}
_CASE_STATUS = {
    "OPEN": "New",
    "ANSWERED": "Working",
    "WAITING_CUSTOMER": "Waiting on Customer",
    "RESOLVED": "Resolved",
    "CLOSED": "Closed",
}
_ERP_HOME = {"LEGACY_ERP": "Legacy ERP", "MIGRATING": "Migrating", "CLOUD_ERP": "Cloud ERP"}
_ORDER_STATUS = {
    "RECEIVED": "Received",
    "VALIDATING": "In Review",
    "ON_HOLD": "On Hold",
    "ACCEPTED": "Accepted",
    "REJECTED": "Rejected",
    "CHANGE_PENDING": "Change Pending",
    "CANCEL_PENDING": "Cancel Pending",
    "CANCELLED": "Cancelled",
    "COMPLETED": "Completed",
}

_Row = dict[str, Any]


def seed(store: Store, world: WorldModel) -> None:
    """Fill an empty store."""
    users = _fill(store, "user", _users(world), world.now)
    territories = _fill(store, "territory__c", _territories(world), world.now)
    accounts = {
        account.id: make_id(OBJECTS["account"].prefix, number) for number, account in enumerate(world.accounts, 1)
    }
    _fill(store, "account", _accounts(world, accounts, users, territories), world.now)
    _fill(store, "contact", _contacts(world, accounts), world.now)
    opportunities = _fill(store, "opportunity", _opportunities(world, accounts, users), world.now)
    _fill(store, "case", _cases(world, accounts), world.now)
    _fill(store, "order", _orders(world, accounts, opportunities), world.now)


def _fill(store: Store, name: str, rows: Iterable[_Row], now: datetime) -> Mapping[str, str]:
    """Put records in and return their ids by their platform ids."""
    target = OBJECTS[name]
    ids: dict[str, str] = {}
    made = []
    for serial, given in enumerate(rows, 1):
        created = time_text(given.pop("created", now))
        changed = time_text(given.pop("changed", now))
        row: _Row = {entry.name: entry.default for entry in target.fields.values()} | given
        row |= {"Id": make_id(target.prefix, serial), "IsDeleted": False, "CreatedDate": created}
        row |= {"LastModifiedDate": changed, "SystemModstamp": changed} | derived(target, row)
        ids[row["Crossdock_Id__c"]] = row["Id"]
        made.append(tuple(row[entry.name] for entry in target.fields.values()))
    store.executemany(f'INSERT INTO "{target.name}" VALUES ({marks(target.fields)})', made)  # noqa: S608 - names are ours
    return ids


def _users(world: WorldModel) -> Iterator[_Row]:
    for user in world.users:
        yield {
            "Crossdock_Id__c": user.id,
            "Name": user.name,
            "Email": user.email,
            "Crossdock_Roles__c": ";".join(user.roles),
        }


def _territories(world: WorldModel) -> Iterator[_Row]:
    for territory in world.territories:
        yield {"Crossdock_Id__c": territory.id, "Name": territory.name, "Code__c": territory.code}


def _accounts(
    world: WorldModel, accounts: Mapping[str, str], users: Mapping[str, str], territories: Mapping[str, str]
) -> Iterator[_Row]:
    for account in world.accounts:
        yield {
            "Crossdock_Id__c": account.id,
            "Name": account.name,
            "AccountNumber": account.number,
            "Legal_Name__c": account.legal_name,
            "Account_Status__c": _ACCOUNT_STATUS[account.status],
            "Version__c": float(account.version),
            "ERP_Home__c": _ERP_HOME[account.erp_home],
            "ParentId": accounts.get(account.parent_id or ""),
            "Bill_To__c": accounts.get(account.bill_to_id or ""),
            "Territory__c": territories[account.territory_id],
            "OwnerId": users[account.owner_id],
            "BillingStreet": account.address.line1,
            "BillingCity": account.address.city,
            "BillingState": account.address.region,
            "BillingPostalCode": account.address.postal_code,
            "BillingCountry": account.address.country,
            "CurrencyIsoCode": account.currency,
            "created": account.changed_at,
            "changed": account.changed_at,
        }


def _contacts(world: WorldModel, accounts: Mapping[str, str]) -> Iterator[_Row]:
    for contact in world.contacts:
        yield {
            "Crossdock_Id__c": contact.id,
            "AccountId": accounts[contact.account_id],
            "FirstName": contact.first_name,
            "LastName": contact.last_name,
            "Email": contact.email,
            "Phone": contact.phone,
            "Role__c": contact.role,
        }


def _opportunities(world: WorldModel, accounts: Mapping[str, str], users: Mapping[str, str]) -> Iterator[_Row]:
    currencies = {account.id: account.currency for account in world.accounts}
    for opportunity in world.opportunities:
        yield {
            "Crossdock_Id__c": opportunity.id,
            "AccountId": accounts[opportunity.account_id],
            "Name": opportunity.name,
            "StageName": opportunity.stage,
            "Amount": _number(opportunity.amount),
            "CloseDate": opportunity.close_date.isoformat(),
            "OwnerId": users[opportunity.owner_id],
            "CurrencyIsoCode": currencies[opportunity.account_id],
        }


def _cases(world: WorldModel, accounts: Mapping[str, str]) -> Iterator[_Row]:
    for case in world.cases:
        yield {
            "Crossdock_Id__c": case.id,
            "AccountId": accounts[case.account_id],
            "CaseNumber": case.number,
            "Subject": case.subject,
            "Status": _CASE_STATUS[case.status],
            "Priority": case.priority.title(),
            "Origin": "Phone",
            "First_Response_At__c": None if case.first_response_at is None else time_text(case.first_response_at),
            "Resolved_At__c": None if case.resolved_at is None else time_text(case.resolved_at),
            "Crossdock_Order_Id__c": case.order_id,
            "created": case.opened_at,
            "changed": case.resolved_at or case.first_response_at or case.opened_at,
        }


def _orders(world: WorldModel, accounts: Mapping[str, str], opportunities: Mapping[str, str]) -> Iterator[_Row]:
    for serial, order in enumerate(world.orders, 1):
        yield {
            "Crossdock_Id__c": order.id,
            "AccountId": accounts[order.account_id],
            "OpportunityId": opportunities.get(order.opportunity_id or ""),
            "OrderNumber": f"{serial:08d}",
            "OrderReferenceNumber": order.number,
            "PoNumber": order.po_number,
            "Status": _ORDER_STATUS[order.status],
            "EffectiveDate": order.submitted_at.date().isoformat(),
            "Promised_Date__c": None if order.promised_date is None else order.promised_date.isoformat(),
            "Total__c": _number(order.total),
            "CurrencyIsoCode": order.currency,
            "created": order.submitted_at,
            "changed": order.completed_at or order.accepted_at or order.submitted_at,
        }


def _number(amount: Decimal) -> float:
    """Return an amount as the CRM keeps it; exact up to fifteen digits."""
    return float(amount)
