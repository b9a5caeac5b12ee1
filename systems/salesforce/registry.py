"""Accounts that come to be in the CRM, and accounts that look like one that wants to be.

Accounts and contacts are written by their external id, so sending again after an unknown outcome changes nothing. A
prospect that the CRM has without the platform's id is given it by its record id first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from schema.enums import AccountStatus, ErpHome, SourceSystem
from schema.records.accounts import Account, AccountValues
from schema.records.onboarding import Lookalike, LookalikeQuery, NewAccount
from schema.records.values import Address
from systems.client import VendorClient
from systems.errors import NotFound, Rejected, Unavailable
from systems.salesforce.ids import full_id
from systems.salesforce.query import API, QueryReader
from systems.salesforce.records import ACCOUNT_FIELDS, read_account
from systems.salesforce.soql import MAX_KEY_CHARS, ends_with, literal, select, starts_with
from systems.salesforce.words import ACCOUNT_STATUS, ERP_HOME, meaning, word

__all__ = ["Registry"]

MAX_LOOKALIKES = 200
"""Accounts that are compared; a name or place that more share says nothing."""

_LOOKALIKE_FIELDS = "Crossdock_Id__c, Name, Legal_Name__c, BillingPostalCode, Account_Status__c"
_KNOWN = "Crossdock_Id__c != null"


class Registry:
    """:class:`systems.ports.AccountRegistry`."""

    _client: VendorClient
    _query: QueryReader

    async def lookalikes(self, who: LookalikeQuery) -> tuple[Lookalike, ...]:
        """Return accounts that share the start of a name, the postal code or the e-mail domain; at most 200."""
        same = [f"BillingPostalCode = {literal(who.postal_code)}"] if who.postal_code else []
        for start in who.name_starts:
            if 0 < len(start) <= MAX_KEY_CHARS:
                same += [starts_with("Name", start), starts_with("Legal_Name__c", start)]
        found: dict[str, Lookalike] = {}
        if same:
            soql = select(_LOOKALIKE_FIELDS, "Account", _KNOWN, f"({' OR '.join(same)})", order="Crossdock_Id__c")
            rows = await self._query.rows("lookalikes", f"{soql} LIMIT {MAX_LOOKALIKES}", _lookalike)
            found = {entry.account_id: entry for entry in rows}
        by_domain = await self._of_domain(who.email_domain)
        for account_id in by_domain:
            found.setdefault(account_id, Lookalike(account_id, (), None, (), None))
        return tuple(
            Lookalike(entry.account_id, entry.names, entry.postal_code, tuple(by_domain[key]), entry.status)
            for key, entry in found.items()
        )

    async def upsert_account(self, account: NewAccount) -> Account:
        """Create the account or change it into this one, active, with its contact; return it.

        Raises:
            Rejected: the CRM refuses a value, or knows no parent, territory or owner of this id.
            Unavailable: with ``outcome_unknown`` when it may have been written; repeating is safe.
        """
        if account.crm_id is not None:
            await self._name_prospect(account.crm_id, account.account_id)
        path = f"{API}/sobjects/Account/Crossdock_Id__c/{quote(account.account_id, safe='')}"
        await self._client.send("upsert account", "PATCH", path, _account_body(account))
        path = f"{API}/sobjects/Contact/Crossdock_Id__c/{quote(account.contact_id, safe='')}"
        await self._client.send("upsert contact", "PATCH", path, _contact_body(account))
        soql = select(ACCOUNT_FIELDS, "Account", f"Crossdock_Id__c = {literal(account.account_id)}")
        found = await self._query.rows("upsert account", soql, read_account)
        if not found:
            message = f"account {account.account_id} cannot be read after it was written"
            raise Unavailable(SourceSystem.CRM, "upsert account", message, outcome_unknown=True)
        return found[0]

    async def set_account_status(self, account_id: str, status: AccountStatus) -> None:
        """Give an account another status; nothing happens when there is none."""
        soql = select("Id", "Account", f"Crossdock_Id__c = {literal(account_id)}")
        for record_id in await self._query.rows("set account status", soql, lambda row: str(row["Id"])):
            path = f"{API}/sobjects/Account/{record_id}"
            body = {"Account_Status__c": word(ACCOUNT_STATUS, status)}
            await self._client.send("set account status", "PATCH", path, body)

    async def change_account(self, account_id: str, values: AccountValues, version: int) -> None:
        """Set owner and billing address where they are given, and the version of the account.

        Raises:
            NotFound: the CRM has no such account.
            Rejected: the CRM refuses; ``fields`` say what.
        """
        soql = select("Id", "Account", f"Crossdock_Id__c = {literal(account_id)}")
        found = await self._query.rows("change account", soql, lambda row: str(row["Id"]))
        if not found:
            raise NotFound(SourceSystem.CRM, "change account", f"there is no account {account_id}")
        body: dict[str, Any] = {"Version__c": version}
        if values.owner_id is not None:
            body |= _pointer("Owner", values.owner_id) if values.owner_id else {"OwnerId": None}
        if values.billing is not None:
            body |= _billing(values.billing)
        await self._client.send("change account", "PATCH", f"{API}/sobjects/Account/{found[0]}", body)

    async def _of_domain(self, domain: str | None) -> Mapping[str, list[str]]:
        """Return the domain per account that has a contact with an address of it."""
        found: dict[str, list[str]] = defaultdict(list)
        if domain is not None and 0 < len(domain) < MAX_KEY_CHARS:
            soql = select(
                "Account.Crossdock_Id__c", "Contact", ends_with("Email", f"@{domain}"), f"Account.{_KNOWN}", order="Id"
            )
            rows = await self._query.rows(
                "lookalikes", f"{soql} LIMIT {MAX_LOOKALIKES}", lambda row: str(row["Account"]["Crossdock_Id__c"])
            )
            found.update({account_id: [domain] for account_id in rows})
        return found

    async def _name_prospect(self, crm_id: str, account_id: str) -> None:
        """Give the CRM's record of a prospect the platform's id."""
        record_id = full_id(crm_id)
        path = f"{API}/sobjects/Account/{record_id or quote(crm_id, safe='')}"
        try:
            await self._client.send("name prospect", "PATCH", path, {"Crossdock_Id__c": account_id})
        except NotFound as error:
            message = f"the CRM has no account {crm_id}"
            raise Rejected(
                SourceSystem.CRM, "name prospect", message, reason="UNKNOWN_PROSPECT", fields=("crmAccountId",)
            ) from error


def _lookalike(row: Mapping[str, Any]) -> Lookalike:
    account_id = str(row["Crossdock_Id__c"])
    names = tuple(str(name) for name in (row["Legal_Name__c"], row["Name"]) if name)
    status = meaning(ACCOUNT_STATUS, row["Account_Status__c"], f"the status of account {account_id}")
    return Lookalike(account_id, names, row["BillingPostalCode"], (), status)


def _account_body(account: NewAccount) -> dict[str, Any]:
    return {
        "AccountNumber": account.number,
        "Name": account.name,
        "Legal_Name__c": account.legal_name,
        "Account_Status__c": word(ACCOUNT_STATUS, AccountStatus.ACTIVE),
        "ERP_Home__c": word(ERP_HOME, ErpHome.CLOUD_ERP),
        **_pointer("Parent", account.parent_id),
        **_pointer("Territory__r", account.territory_id),
        **_pointer("Owner", account.owner_id),
        **_billing(account.billing),
        "CurrencyIsoCode": account.currency,
    }


def _billing(place: Address) -> dict[str, Any]:
    return {
        "BillingStreet": "\n".join(line for line in (place.line1, place.line2) if line),
        "BillingCity": place.city,
        "BillingState": place.region,
        "BillingPostalCode": place.postal_code,
        "BillingCountry": place.country,
    }


def _contact_body(account: NewAccount) -> dict[str, Any]:
    first, _, last = account.contact_name.strip().rpartition(" ")
    return {
        "Account": {"Crossdock_Id__c": account.account_id},
        "FirstName": first or None,
        "LastName": last,
        "Email": account.contact_email,
    }


def _pointer(name: str, key: str | None) -> dict[str, Any]:
    return {} if key is None else {name: {"Crossdock_Id__c": key}}
