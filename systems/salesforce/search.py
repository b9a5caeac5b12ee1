"""The search for accounts as SOQL: conditions of a filter, and cursors of (number, record id)."""

from __future__ import annotations

import base64
import binascii

from schema.enums import SourceSystem
from schema.records.accounts import AccountFilter
from systems.errors import Rejected
from systems.salesforce.ids import full_id
from systems.salesforce.soql import MAX_KEY_CHARS, literal, starts_with
from systems.salesforce.words import ACCOUNT_STATUS, ERP_HOME, word

__all__ = ["behind", "conditions", "cursor"]

_SEPARATOR = "|"


def conditions(where: AccountFilter) -> list[str] | None:
    """Return what must hold for accounts that the platform knows; None when nothing can match."""
    found = ["Crossdock_Id__c != null"]
    for path, key in (("Territory__r.Crossdock_Id__c", where.territory_id), ("Owner.Crossdock_Id__c", where.owner_id)):
        if key is not None:
            # The vendor takes an empty text for null, which would find what has no territory or owner.
            if not _is_key(key):
                return None
            found.append(f"{path} = {literal(key)}")
    if where.status is not None:
        found.append(f"Account_Status__c = {literal(word(ACCOUNT_STATUS, where.status))}")
    if where.erp_home is not None:
        found.append(f"ERP_Home__c = {literal(word(ERP_HOME, where.erp_home))}")
    if where.within is not None:
        patch = [f"Owner.Crossdock_Id__c = {literal(where.within.owner_id)}"] if _is_key(where.within.owner_id) else []
        named = ",".join(literal(key) for key in where.within.territory_ids if _is_key(key))
        patch += [f"Territory__r.Crossdock_Id__c IN ({named})"] if named else []
        if not patch:
            return None
        found.append(f"({' OR '.join(patch)})")
    if where.text:
        if len(where.text) > MAX_KEY_CHARS:
            return None
        found.append(f"({starts_with('Name', where.text)} OR {starts_with('AccountNumber', where.text)})")
    return found


def _is_key(text: str) -> bool:
    return 0 < len(text) <= MAX_KEY_CHARS


def cursor(number: str, record_id: str) -> str:
    """Return the cursor of an account."""
    return base64.urlsafe_b64encode(f"{record_id}{_SEPARATOR}{number}".encode()).decode().rstrip("=")


def behind(after: str) -> str:
    """Return the condition that an account comes after the one with this cursor.

    Raises:
        Rejected: it is no cursor of this search.
    """
    try:
        plain = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise _unknown(after) from error
    given, separator, number = plain.partition(_SEPARATOR)
    record_id = full_id(given)
    if record_id is None or not separator or not 0 < len(number) <= MAX_KEY_CHARS:
        raise _unknown(after)
    last = literal(number)
    return f"(AccountNumber > {last} OR (AccountNumber = {last} AND Id > {literal(record_id)}))"


def _unknown(after: str) -> Rejected:
    message = f"cursor {after[:80]!r} is not one of this list: start without a cursor"
    return Rejected(SourceSystem.CRM, "search accounts", message, reason="BAD_CURSOR", fields=("after",))
