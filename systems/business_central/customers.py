"""Terms, credit and delivery places of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from schema.enums import SourceSystem
from schema.records.accounts import CreditProfile, CustomerTerms, ShipTo, TaxRegistration
from schema.records.values import Address, ExternalRef
from systems.business_central.odata import Query, within
from systems.business_central.reader import Reader
from systems.business_central.values import read_date, read_money, read_time, word

__all__ = ["Customers"]

_TERMS = (
    "number,crossdockId,currencyCode,paymentTermsCode,customerPriceGroup,blocked,creditLimit,openReceivables,overdue,"
    "maxDaysPastDue,creditTolerancePercent,onHold,holdReason,taxRegistrations"
)
_SHIP_TO = "crossdockId,accountId,code,line1,city,state,postalCode,country,gln,taxJurisdiction,deliveryDays,active"
_BLOCKED = {"": "", "Ship": "Ship", "Invoice": "Invoice", "All": "All"}


class Customers:
    """:class:`systems.ports.CustomerMaster`."""

    _reader: Reader

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        """Return terms and credit by account id, as of now."""
        queries = [Query("customerTerms", _TERMS, where) for where in within("crossdockId", account_ids)]
        now = datetime.now(UTC)
        found = await self._reader.rows("terms", queries, lambda row: _terms(row, now))
        return {terms.account_id: terms for terms in found}

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        """Return the platform id of the account that has the customer number ``external_id`` in this ERP."""
        if system is not SourceSystem.CLOUD_ERP:
            return None
        queries = [Query("customerTerms", "crossdockId", where) for where in within("number", [external_id])]
        found = await self._reader.rows("account by number", queries, lambda row: str(row["crossdockId"]))
        return found[0] if found else None

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        """Return ship-tos by platform id."""
        return {place.id: place for place in await self._ship_tos("ship-tos", within("crossdockId", ids))}

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        """Return ship-tos per account by code."""
        found: dict[str, list[ShipTo]] = {account_id: [] for account_id in account_ids}
        for place in await self._ship_tos("ship-tos of accounts", within("accountId", account_ids)):
            found[place.account_id].append(place)
        return {account_id: tuple(places) for account_id, places in found.items()}

    async def _ship_tos(self, operation: str, conditions: Sequence[str]) -> list[ShipTo]:
        queries = [Query("shipToAddresses", _SHIP_TO, where, order="code") for where in conditions]
        return await self._reader.rows(operation, queries, _ship_to)


def _terms(row: Mapping[str, Any], now: datetime) -> CustomerTerms:
    currency = row["currencyCode"]
    limit = row["creditLimit"]
    return CustomerTerms(
        account_id=row["crossdockId"],
        number=row["number"],
        currency=currency,
        payment_terms=row["paymentTermsCode"],
        price_group=row["customerPriceGroup"],
        blocked=word("customer block", row["blocked"], _BLOCKED),
        tax_registrations=tuple(_registration(entry) for entry in row["taxRegistrations"]),
        credit=CreditProfile(
            limit=None if limit is None else read_money(limit, currency),
            open_receivables=read_money(row["openReceivables"], currency),
            overdue=read_money(row["overdue"], currency),
            max_days_past_due=int(row["maxDaysPastDue"]),
            on_hold=bool(row["onHold"]),
            hold_reason=row["holdReason"],
            as_of=now,
        ),
        credit_tolerance_percent=int(row["creditTolerancePercent"]),
        ref=ExternalRef(SourceSystem.CLOUD_ERP, row["number"]),
    )


def _registration(entry: Mapping[str, Any]) -> TaxRegistration:
    return TaxRegistration(
        kind=entry["kind"],
        number=entry["number"],
        jurisdiction=entry["jurisdiction"],
        exempt=bool(entry["exempt"]),
        certificate_expires=read_date(entry["certificateExpires"]),
        verified_at=read_time(entry["verifiedAt"]),
    )


def _ship_to(row: Mapping[str, Any]) -> ShipTo:
    return ShipTo(
        id=row["crossdockId"],
        account_id=row["accountId"],
        code=row["code"],
        address=Address(
            line1=row["line1"],
            city=row["city"],
            postal_code=row["postalCode"],
            country=row["country"],
            region=row["state"],
            gln=row["gln"],
        ),
        tax_jurisdiction=row["taxJurisdiction"],
        delivery_days=tuple(row["deliveryDays"]),
        active=bool(row["active"]),
    )
