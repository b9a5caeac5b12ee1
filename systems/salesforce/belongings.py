"""What hangs on an account in the CRM, and giving it to another account.

A belonging is named by object, field and record id, such as ``Contact.AccountId/003...``: enough to point it elsewhere
and back. Pointing a record where it points already changes nothing, so repeating is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import Conflict, Rejected, Unexpected
from systems.salesforce.query import API, QueryReader
from systems.salesforce.soql import literal, select

__all__ = ["Belongings"]

MAX_BELONGINGS = 5_000
"""Records of one account that are given away at once; an account with more is merged by the CRM's own people."""

BATCH = 25
"""Records of one request, as many as the vendor takes."""

LOCKED = "UNABLE_TO_LOCK_ROW"
"""The vendor's word for a record that another request is writing."""

_KINDS = (
    ("Contact", "AccountId", "Account", ()),
    ("Opportunity", "AccountId", "Account", ("IsClosed = false",)),
    ("Case", "AccountId", "Account", ("IsClosed = false",)),
    ("Order", "AccountId", "Account", ("Status NOT IN ('Rejected','Cancelled','Completed')",)),
    ("Account", "ParentId", "Parent", ()),
    ("Account", "Bill_To__c", "Bill_To__r", ()),
)
"""Object, field and the relation that it is, and which records of it are open."""


class Belongings:
    """The part of :class:`systems.ports.AccountRegistry` about what accounts have."""

    _client: VendorClient
    _query: QueryReader

    async def belongings(self, account_id: str) -> tuple[str, ...]:
        """Return contacts, open opportunities, cases and mirrored orders, children, and whom the account pays for.

        Raises:
            Rejected: there are more than can be given away at once.
        """
        found: list[str] = []
        for kind, field, relation, open_only in _KINDS:
            own = f"{relation}.Crossdock_Id__c = {literal(account_id)}"
            soql = select("Id", kind, own, *open_only, order="Id")
            found += await self._query.rows("belongings", soql, _named(kind, field))
        if len(found) > MAX_BELONGINGS:
            message = f"account {account_id} has {len(found)} records, at most {MAX_BELONGINGS} can be given away"
            raise Rejected(SourceSystem.CRM, "belongings", message, reason="TOO_MANY_BELONGINGS", fields=())
        return tuple(found)

    async def give_belongings(self, belongings: Sequence[str], account_id: str) -> None:
        """Have records belong to an account; repeating is safe.

        Raises:
            Rejected: the CRM refuses one of them, or knows no such account.
            Conflict: somebody else is writing one of them; repeat.
            Unavailable: with ``outcome_unknown`` when some may be given; repeating is safe.
        """
        soql = select("Id", "Account", f"Crossdock_Id__c = {literal(account_id)}")
        accounts = await self._query.rows("give belongings", soql, lambda row: str(row["Id"]))
        if not accounts:
            message = f"the CRM has no account {account_id}"
            raise Rejected(SourceSystem.CRM, "give belongings", message, reason="UNKNOWN_ACCOUNT", fields=())
        for start in range(0, len(belongings), BATCH):
            batch = belongings[start : start + BATCH]
            parts = [_part(place, name, accounts[0]) for place, name in enumerate(batch)]
            body = {"allOrNone": True, "compositeRequest": parts}
            answer = await self._client.send("give belongings", "POST", f"{API}/composite", body)
            _check(answer.body)


def _named(kind: str, field: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: f"{kind}.{field}/{row['Id']}"


def _part(place: int, name: str, account: str) -> Mapping[str, Any]:
    owner, _, record = name.partition("/")
    kind, _, field = owner.partition(".")
    return {
        "method": "PATCH",
        "url": f"{API}/sobjects/{kind}/{record}",
        "referenceId": f"belonging{place}",
        "body": {field: account},
    }


def _check(body: Any) -> None:
    """Check that every part was done; what stands in the way of one has undone all of its batch."""
    try:
        bad = [part for part in body["compositeResponse"] if part["httpStatusCode"] >= 400]
        errors = [part["body"][0] for part in bad]
        first = next((error for error in errors if error["errorCode"] != "PROCESSING_HALTED"), None)
        said = None if first is None else (str(first["errorCode"]), str(first["message"]))
    except (LookupError, TypeError) as error:
        raise Unexpected(SourceSystem.CRM, "give belongings", "the answer is no list of replies") from error
    if bad:
        reason, message = said or ("PROCESSING_HALTED", "the batch was rolled back")
        if reason == LOCKED:
            raise Conflict(SourceSystem.CRM, "give belongings", message)
        raise Rejected(SourceSystem.CRM, "give belongings", message, reason=reason, fields=())
