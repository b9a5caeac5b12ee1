"""Terms, credit and delivery places of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from schema.enums import SourceSystem
from schema.records.accounts import CreditProfile, CustomerTerms, ShipTo, TaxRegistration
from schema.records.values import Address, ExternalRef
from systems.legacy_erp.fields import (
    Record,
    is_flag,
    read_count,
    read_date,
    read_moment,
    read_money,
    read_text,
    read_word,
    text_or_none,
)
from systems.legacy_erp.programs import Programs

__all__ = ["BLOCKS", "Customers"]

BLOCKS = {"": "", "SH": "Ship", "IV": "Invoice", "AL": "All"}
"""What a customer may be blocked for."""

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Customers:
    """:class:`systems.ports.CustomerMaster`."""

    _programs: Programs

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        """Return terms and credit by account id, as of now."""
        now = datetime.now(UTC)
        found = await self._programs.by_keys(
            "terms", "CUSINQ", ("XREF", account_ids), lambda record: _terms(record, now)
        )
        return {terms.account_id: terms for terms in found}

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        """Return the platform id of the account that has the customer number ``external_id`` in this ERP."""
        if system is not SourceSystem.LEGACY_ERP:
            return None
        found = await self._programs.by_keys(
            "account by number", "CUSINQ", ("CUSNO", [external_id]), lambda record: read_text(record, "CUXREF")
        )
        return found[0] if found else None

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        """Return ship-tos by platform id."""
        found = await self._programs.by_keys("ship-tos", "SHTINQ", ("XREF", ids), _ship_to)
        return {place.id: place for place in found}

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        """Return ship-tos per account by code."""
        found: dict[str, list[ShipTo]] = {account_id: [] for account_id in account_ids}
        for place in await self._programs.by_keys("ship-tos of accounts", "SHTINQ", ("CUSX", found), _ship_to):
            found[place.account_id].append(place)
        return {account_id: tuple(places) for account_id, places in found.items()}


def _terms(record: Record, now: datetime) -> CustomerTerms:
    currency, number = read_text(record, "CURCD"), read_text(record, "CUSNO")
    return CustomerTerms(
        account_id=read_text(record, "CUXREF"),
        number=number,
        currency=currency,
        payment_terms=text_or_none(record, "TRMCD"),
        price_group=text_or_none(record, "PRGRP"),
        blocked=read_word("customer block", record, "BLKCD", BLOCKS),
        tax_registrations=tuple(_registration(entry) for entry in record["TAXS"]),
        credit=CreditProfile(
            limit=read_money(record, "CRLIM", currency) if "CRLIM" in record else None,
            open_receivables=read_money(record, "OPNAR", currency),
            overdue=read_money(record, "OVDUE", currency),
            max_days_past_due=read_count(record, "MAXDPD"),
            on_hold=is_flag(record, "CRHLD"),
            hold_reason=text_or_none(record, "HLDRS"),
            as_of=now,
        ),
        credit_tolerance_percent=read_count(record, "TOLPC"),
        ref=ExternalRef(SourceSystem.LEGACY_ERP, number),
    )


def _registration(entry: Record) -> TaxRegistration:
    return TaxRegistration(
        kind=read_text(entry, "TXKND"),
        number=read_text(entry, "TXNO"),
        jurisdiction=read_text(entry, "TXJUR"),
        exempt=is_flag(entry, "EXMPT"),
        certificate_expires=read_date(entry, "CRTEX"),
        verified_at=read_moment(entry, "VRF"),
    )


def _ship_to(record: Record) -> ShipTo:
    mask = read_text(record, "DLVDY")
    return ShipTo(
        id=read_text(record, "STXREF"),
        account_id=read_text(record, "CUXREF"),
        code=read_text(record, "STCOD"),
        address=Address(
            line1=read_text(record, "ADDR1"),
            city=read_text(record, "CITY"),
            postal_code=read_text(record, "PSTCD"),
            country=read_text(record, "CTRY"),
            region=text_or_none(record, "REGN"),
            gln=text_or_none(record, "GLN"),
        ),
        tax_jurisdiction=text_or_none(record, "TXJUR"),
        delivery_days=tuple(day for day, flag in zip(_DAYS, mask, strict=True) if flag == "Y"),
        active=is_flag(record, "ACTVE"),
    )
