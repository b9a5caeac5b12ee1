"""The objects of the CRM: their fields, what may be written, and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

__all__ = ["OBJECTS", "SCHEMA", "Child", "Field", "Kind", "SObject", "find_object"]


class Kind(StrEnum):
    """What a field holds, named as the vendor's messages name it."""

    ID = "ID"
    REFERENCE = "reference"
    STRING = "string"
    BOOLEAN = "boolean"
    DOUBLE = "double"
    DATE = "date"
    DATETIME = "dateTime"


_SQL = {Kind.BOOLEAN: "INTEGER", Kind.DOUBLE: "REAL"}
_PLAIN_TEXT = (Kind.ID, Kind.REFERENCE, Kind.DATE, Kind.DATETIME)


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: its API name.
        kind: what it holds.
        length: longest text.
        is_required: whether a record cannot be without it.
        is_writable: whether clients may set it.
        is_external_id: whether records can be found by it; its values are unique, whatever the case of letters.
        target: object that a reference points to.
        parent: name under which a query reaches the fields of the target.
        values: all that a restricted picklist accepts.
        default: value of a record that is made without it.
    """

    name: str
    kind: Kind = Kind.STRING
    length: int = 255
    is_required: bool = False
    is_writable: bool = True
    is_external_id: bool = False
    target: str | None = None
    parent: str | None = None
    values: tuple[str, ...] = ()
    default: str | bool | float | None = None

    @property
    def column(self) -> str:
        """SQL of its column; texts compare without regard to case, as in the CRM."""
        sql = _SQL.get(self.kind, "TEXT" if self.kind in _PLAIN_TEXT else "TEXT COLLATE NOCASE")
        return f'"{self.name}" {sql}'


@dataclass(frozen=True, slots=True)
class Child:
    """Records that point to a record: ``object_name`` by its field ``field_name``."""

    object_name: str
    field_name: str


@dataclass(frozen=True)
class SObject:
    """One object; ``prefix`` begins the ids of its records, ``number`` is the field that counts them, if any."""

    name: str
    prefix: str
    own: tuple[Field, ...]
    children: Mapping[str, Child] = field(default_factory=dict)
    number: str | None = None

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """All fields by their names in lower case."""
        return {entry.name.lower(): entry for entry in (*_COMMON, *self.own)}

    @cached_property
    def parents(self) -> Mapping[str, Field]:
        """References by the lower-case names under which their targets are reached."""
        return {entry.parent.lower(): entry for entry in self.fields.values() if entry.parent is not None}


_COMMON = (
    Field("Id", Kind.ID, is_writable=False),
    Field("Crossdock_Id__c", length=80, is_external_id=True),
    Field("IsDeleted", Kind.BOOLEAN, is_writable=False),
    Field("CreatedDate", Kind.DATETIME, is_writable=False),
    Field("LastModifiedDate", Kind.DATETIME, is_writable=False),
    Field("SystemModstamp", Kind.DATETIME, is_writable=False),
)
_CURRENCY = Field("CurrencyIsoCode", length=3, default="USD")
_ACCOUNT = Field("AccountId", Kind.REFERENCE, target="Account", parent="Account")


def _owner(*, required: bool = False) -> Field:
    return Field("OwnerId", Kind.REFERENCE, is_required=required, target="User", parent="Owner")


OBJECTS: Mapping[str, SObject] = {
    entry.name.lower(): entry
    for entry in (
        SObject(
            "User",
            "005",
            (
                Field("Name", length=121, is_required=True),
                Field("Email", length=128),
                Field("IsActive", Kind.BOOLEAN, default=True),
                Field("Crossdock_Roles__c", length=4099),
            ),
        ),
        SObject(
            "Territory__c",
            "a00",
            (Field("Name", length=80, is_required=True), Field("Code__c", length=20, is_required=True)),
        ),
        SObject(
            "Account",
            "001",
            (
                Field("Name", is_required=True),
                Field("AccountNumber", length=40),
                Field("Legal_Name__c"),
                Field(
                    "Account_Status__c",
                    values=("Prospect", "Pending", "Active", "On Hold", "Inactive", "Merged"),
                    default="Prospect",
                ),
                Field("Version__c", Kind.DOUBLE, default=1.0),
                Field("ParentId", Kind.REFERENCE, target="Account", parent="Parent"),
                Field("Bill_To__c", Kind.REFERENCE, target="Account", parent="Bill_To__r"),
                Field("Territory__c", Kind.REFERENCE, target="Territory__c", parent="Territory__r"),
                _owner(),
                Field("ERP_Home__c", values=("Legacy ERP", "Migrating", "Cloud ERP"), default="Cloud ERP"),
                Field("BillingStreet"),
                Field("BillingCity", length=40),
                Field("BillingState", length=80),
                Field("BillingPostalCode", length=20),
                Field("BillingCountry", length=80),
                _CURRENCY,
            ),
            {
                "contacts": Child("Contact", "AccountId"),
                "opportunities": Child("Opportunity", "AccountId"),
                "cases": Child("Case", "AccountId"),
                "orders": Child("Order", "AccountId"),
                "childaccounts": Child("Account", "ParentId"),
            },
        ),
        SObject(
            "Contact",
            "003",
            (
                _ACCOUNT,
                Field("FirstName", length=40),
                Field("LastName", length=80, is_required=True),
                Field("Name", length=121, is_writable=False),
                Field("Email", length=80),
                Field("Phone", length=40),
                Field("Role__c", length=80),
            ),
        ),
        SObject(
            "Opportunity",
            "006",
            (
                _ACCOUNT,
                Field("Name", length=120, is_required=True),
                Field("StageName", is_required=True),
                Field("Amount", Kind.DOUBLE),
                Field("CloseDate", Kind.DATE, is_required=True),
                Field("IsClosed", Kind.BOOLEAN, is_writable=False),
                Field("IsWon", Kind.BOOLEAN, is_writable=False),
                _owner(),
                _CURRENCY,
            ),
        ),
        SObject(
            "Case",
            "500",
            (
                _ACCOUNT,
                Field("CaseNumber", length=30, is_writable=False),
                Field("Subject"),
                Field("Description", length=32_000),
                Field("Status", default="New"),
                Field("Priority", default="Medium"),
                Field("Origin", length=255),
                Field("IsClosed", Kind.BOOLEAN, is_writable=False),
                Field("First_Response_At__c", Kind.DATETIME),
                Field("Resolved_At__c", Kind.DATETIME),
                Field("Crossdock_Order_Id__c", length=80),
            ),
            number="CaseNumber",
        ),
        SObject(
            "Quote",
            "0Q0",
            (
                _ACCOUNT,
                Field("OpportunityId", Kind.REFERENCE, target="Opportunity", parent="Opportunity"),
                Field("Name", is_required=True),
                Field("QuoteNumber", length=30, is_writable=False),
                Field(
                    "Status",
                    values=(
                        *("Draft", "Needs Review", "In Review", "Approved", "Rejected"),
                        *("Presented", "Accepted", "Denied", "Priced", "Expired", "Converted", "Superseded"),
                    ),
                    default="Draft",
                ),
                Field("ExpirationDate", Kind.DATE),
                Field("Total__c", Kind.DOUBLE),
                _CURRENCY,
            ),
            number="QuoteNumber",
        ),
        SObject(
            "Order",
            "801",
            (
                Field("AccountId", Kind.REFERENCE, is_required=True, target="Account", parent="Account"),
                Field("OpportunityId", Kind.REFERENCE, target="Opportunity", parent="Opportunity"),
                Field("OrderNumber", length=30, is_writable=False),
                Field("OrderReferenceNumber", length=80),
                Field("PoNumber", length=80),
                Field(
                    "Status",
                    is_required=True,
                    values=(
                        *("Draft", "Received", "In Review", "On Hold", "Accepted", "Rejected", "Change Pending"),
                        *("Cancel Pending", "Cancelled", "Completed"),
                    ),
                ),
                Field("EffectiveDate", Kind.DATE, is_required=True),
                Field("Promised_Date__c", Kind.DATE),
                Field("Total__c", Kind.DOUBLE),
                _CURRENCY,
            ),
            number="OrderNumber",
        ),
    )
}


def find_object(name: str) -> SObject | None:
    """Return the object with this name, whatever the case of letters."""
    return OBJECTS.get(name.lower())


def _table(entry: SObject) -> str:
    columns = ", ".join(each.column for each in entry.fields.values())
    indexes = [
        f'CREATE {"UNIQUE " if each.is_external_id else ""}INDEX IF NOT EXISTS "{entry.name}_{each.name}" '
        f'ON "{entry.name}" ("{each.name}"){" WHERE NOT IsDeleted" if each.is_external_id else ""};'
        for each in entry.fields.values()
        if each.is_external_id or each.kind is Kind.REFERENCE
    ]
    return f'CREATE TABLE IF NOT EXISTS "{entry.name}" ({columns}, PRIMARY KEY ("Id"));\n' + "\n".join(indexes)


SCHEMA = "\n".join(_table(entry) for entry in OBJECTS.values())
"""Tables of all objects; a column is called as its field."""
