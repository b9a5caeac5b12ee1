"""The mutation that makes one account of two: it checks who asks; the process decides everything else."""

from __future__ import annotations

from processes.api import Started
from resolvers.access import can_see, require_merge_rights
from resolvers.accounts.ports import AccountPorts
from resolvers.envelopes import broken_rule, check_key, check_names
from schema.records.identity import Principal
from schema.records.merges import MergeAsked
from schema.records.waiting import DECISION_WAIT_MS

__all__ = ["merge"]


async def merge(ports: AccountPorts, asked: MergeAsked, *, key: str, principal: Principal) -> Started:
    """Start a merge of two accounts, or say why nothing was started.

    Raises:
        Forbidden: the principal may not merge accounts.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_merge_rights(principal, "accountMerge")
    problems = [*check_key(key), *check_names(survivorId=asked.survivor_id, duplicateId=asked.duplicate_id)]
    problems += [
        broken_rule("UNKNOWN_ACCOUNT", f"account {account_id} does not exist", name)
        for name, account_id in (("survivorId", asked.survivor_id), ("duplicateId", asked.duplicate_id))
        if not can_see(principal, account_id)
    ]
    if problems:
        return Started(process_id=None, state=None, entity_id=None, problems=tuple(problems), replayed=False)
    return await ports.starter.merge_accounts(asked, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)
