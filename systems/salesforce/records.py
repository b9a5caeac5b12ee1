"""The vendor's JSON as canonical records, and the fields that are asked for to make them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from schema.enums import SourceSystem
from schema.records.accounts import Account, Contact, Opportunity, ServiceCase, Territory, User
from schema.records.values import ExternalRef, Money
from systems.ports import OrderMirror, QuoteMirror
from systems.salesforce.words import (
    ACCOUNT_STATUS,
    CASE_STATUS,
    ERP_HOME,
    ORDER_STATUS,
    PRIORITY,
    QUOTE_STATUS,
    meaning,
    word,
)

__all__ = [
    "ACCOUNT_FIELDS",
    "CASE_FIELDS",
    "CONTACT_FIELDS",
    "OPPORTUNITY_FIELDS",
    "TERRITORY_FIELDS",
    "USER_FIELDS",
    "order_body",
    "quote_body",
    "read_account",
    "read_case",
    "read_contact",
    "read_opportunity",
    "read_territory",
    "read_user",
]

ACCOUNT_FIELDS = (
    "Id, Crossdock_Id__c, AccountNumber, Name, Legal_Name__c, Account_Status__c, Version__c, Parent.Crossdock_Id__c, "
    "Bill_To__r.Crossdock_Id__c, Territory__r.Crossdock_Id__c, Territory__r.Code__c, Territory__r.Name, "
    "Owner.Crossdock_Id__c, ERP_Home__c, LastModifiedDate"
)
CONTACT_FIELDS = "Crossdock_Id__c, Account.Crossdock_Id__c, Name, Email, Phone, Role__c"
USER_FIELDS = "Crossdock_Id__c, Name, Crossdock_Roles__c"
TERRITORY_FIELDS = "Crossdock_Id__c, Code__c, Name"
OPPORTUNITY_FIELDS = (
    "Id, Crossdock_Id__c, Account.Crossdock_Id__c, Name, StageName, Amount, CurrencyIsoCode, CloseDate, "
    "Owner.Crossdock_Id__c, IsClosed"
)
CASE_FIELDS = (
    "Crossdock_Id__c, Account.Crossdock_Id__c, CaseNumber, Subject, Status, Priority, CreatedDate, "
    "First_Response_At__c, Resolved_At__c, Crossdock_Order_Id__c"
)


def read_account(row: Mapping[str, Any]) -> Account:
    """Return an account."""
    account_id = _text(row, "Crossdock_Id__c")
    territory = row["Territory__r"]
    return Account(
        id=account_id,
        number=_text(row, "AccountNumber"),
        name=_text(row, "Name"),
        legal_name=row["Legal_Name__c"],
        status=meaning(ACCOUNT_STATUS, row["Account_Status__c"], f"the status of account {account_id}"),
        version=int(row["Version__c"]),
        parent_id=_id_of(row["Parent"]),
        bill_to_id=_id_of(row["Bill_To__r"]),
        territory=None if territory is None or _id_of(territory) is None else read_territory(territory),
        owner_id=_id_of(row["Owner"]),
        erp_home=meaning(ERP_HOME, row["ERP_Home__c"], f"the home ERP of account {account_id}"),
        refs=(ExternalRef(SourceSystem.CRM, _text(row, "Id")),),
        changed_at=datetime.fromisoformat(row["LastModifiedDate"]),
    )


def read_contact(row: Mapping[str, Any]) -> Contact:
    """Return a contact."""
    return Contact(
        id=_text(row, "Crossdock_Id__c"),
        account_id=_text(row["Account"], "Crossdock_Id__c"),
        name=_text(row, "Name"),
        email=row["Email"],
        phone=row["Phone"],
        role=row["Role__c"],
    )


def read_user(row: Mapping[str, Any]) -> User:
    """Return a user."""
    roles = row["Crossdock_Roles__c"] or ""
    return User(_text(row, "Crossdock_Id__c"), _text(row, "Name"), tuple(role for role in roles.split(";") if role))


def read_territory(row: Mapping[str, Any]) -> Territory:
    """Return a territory."""
    return Territory(_text(row, "Crossdock_Id__c"), _text(row, "Code__c"), _text(row, "Name"))


def read_opportunity(row: Mapping[str, Any]) -> Opportunity:
    """Return an opportunity."""
    amount, closes = row["Amount"], row["CloseDate"]
    return Opportunity(
        id=_text(row, "Crossdock_Id__c"),
        account_id=_text(row["Account"], "Crossdock_Id__c"),
        name=_text(row, "Name"),
        stage=_text(row, "StageName"),
        amount=None if amount is None else Money(Decimal(str(amount)), _text(row, "CurrencyIsoCode")),
        close_date=None if closes is None else date.fromisoformat(closes),
        owner_id=_id_of(row["Owner"]),
        is_open=not row["IsClosed"],
        refs=(ExternalRef(SourceSystem.CRM, _text(row, "Id")),),
    )


def read_case(row: Mapping[str, Any]) -> ServiceCase:
    """Return a service case."""
    case_id = _text(row, "Crossdock_Id__c")
    return ServiceCase(
        id=case_id,
        account_id=_text(row["Account"], "Crossdock_Id__c"),
        number=_text(row, "CaseNumber"),
        subject=row["Subject"] or "",
        status=meaning(CASE_STATUS, row["Status"], f"the status of case {case_id}"),
        priority=meaning(PRIORITY, row["Priority"], f"the priority of case {case_id}"),
        opened_at=datetime.fromisoformat(row["CreatedDate"]),
        first_response_at=_time(row["First_Response_At__c"]),
        resolved_at=_time(row["Resolved_At__c"]),
        order_id=row["Crossdock_Order_Id__c"],
    )


def order_body(mirror: OrderMirror) -> dict[str, Any]:
    """Return the fields of the vendor's order that mirrors one of ours."""
    return {
        "Account": {"Crossdock_Id__c": mirror.account_id},
        **_opportunity(mirror.opportunity_id),
        "OrderReferenceNumber": mirror.number,
        "PoNumber": mirror.po_number,
        "Status": word(ORDER_STATUS, mirror.status),
        "EffectiveDate": mirror.ordered_on.isoformat(),
        "Promised_Date__c": None if mirror.promised_date is None else mirror.promised_date.isoformat(),
        # The vendor keeps amounts as doubles; they are exact up to fifteen digits.
        "Total__c": float(mirror.total.amount),
        "CurrencyIsoCode": mirror.total.currency,
    }


def quote_body(mirror: QuoteMirror) -> dict[str, Any]:
    """Return the fields of the vendor's quote that mirrors one of ours; its own number the vendor gives itself."""
    return {
        "Account": {"Crossdock_Id__c": mirror.account_id},
        **_opportunity(mirror.opportunity_id),
        "Name": mirror.number,
        "Status": word(QUOTE_STATUS, mirror.status),
        "ExpirationDate": mirror.valid_until.isoformat(),
        "Total__c": float(mirror.total.amount),
        "CurrencyIsoCode": mirror.total.currency,
    }


def _opportunity(opportunity_id: str | None) -> dict[str, Any]:
    """Return the field that names an opportunity, or none."""
    if opportunity_id is None:
        return {"OpportunityId": None}
    return {"Opportunity": {"Crossdock_Id__c": opportunity_id}}


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} of {row.get('Crossdock_Id__c') or row.get('Id') or 'a record'} is empty")
    return value


def _id_of(parent: Mapping[str, Any] | None) -> str | None:
    """Return the platform id of a parent; one that the platform does not know has none."""
    return None if parent is None else parent["Crossdock_Id__c"]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
