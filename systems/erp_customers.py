"""What every ERP's connector makes of customers that come to be there: one meaning of an outcome, whoever was asked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from schema.enums import SourceSystem
from schema.records.accounts import CustomerTerms
from schema.records.onboarding import CustomerTrace
from systems.errors import Conflict, Rejected, Unavailable

__all__ = ["NOT_BILLED", "created", "plain", "traces_of"]

NOT_BILLED = "Invoice"
"""Block of a customer whose billing is not open."""

_MARKS = re.compile(r"[^0-9A-Z]")


def plain(tax_number: str) -> str:
    """Return a tax number in capitals without anything that is no letter or digit."""
    return _MARKS.sub("", tax_number)


def traces_of(numbers: Iterable[tuple[str, str]], glns: Iterable[tuple[str, str]]) -> tuple[CustomerTrace, ...]:
    """Return what (account, tax number) and (account, GLN) are found, by account, each once."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = defaultdict(lambda: ({}, {}))
    for place, pairs in enumerate((numbers, glns)):
        for account_id, value in pairs:
            found[account_id][place][value] = None
    return tuple(
        CustomerTrace(account_id, tuple(known), tuple(places)) for account_id, (known, places) in found.items()
    )


def created(
    system: SourceSystem, account_id: str, found: CustomerTerms | None, conflict: Conflict | None
) -> CustomerTerms:
    """Return the customer that is there after it was created.

    Args:
        system: the ERP.
        account_id: whose customer.
        found: the customer as it is read now.
        conflict: why the ERP has not created it, if it said so.

    Raises:
        Rejected: the ERP has one of its places under another customer.
        Unavailable: it was created and is not there, so nobody knows.
    """
    if found is not None:
        return found
    if conflict is not None:
        said = f"the ERP has a delivery place of account {account_id} under another customer"
        raise Rejected(system, "create customer", said, reason="PLACE_TAKEN", fields=("shipTo",)) from conflict
    said = f"the customer of account {account_id} cannot be read after it was created"
    raise Unavailable(system, "create customer", said, outcome_unknown=True)
