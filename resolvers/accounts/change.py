"""The mutation that changes accounts: it checks who asks and how; the process decides everything else."""

from __future__ import annotations

from processes.api import AccountChange, Started
from resolvers.access import can_see, require_account_rights
from resolvers.accounts.ports import AccountPorts
from resolvers.envelopes import broken_rule, check_key, check_names
from schema.records.identity import Principal
from schema.records.waiting import DECISION_WAIT_MS

__all__ = ["change"]


async def change(ports: AccountPorts, asked: AccountChange, *, key: str, principal: Principal) -> Started:
    """Start a change of an account, or say why nothing was started.

    Raises:
        Forbidden: the principal may not change accounts, or not these values.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_account_rights(principal, "accountChange", is_about_terms=asked.values.payment_terms is not None)
    problems = [*check_key(key), *check_names(accountId=asked.account_id)]
    if not can_see(principal, asked.account_id):
        problems.append(broken_rule("UNKNOWN_ACCOUNT", f"account {asked.account_id} does not exist", "accountId"))
    if problems:
        return Started(process_id=None, state=None, entity_id=None, problems=tuple(problems), replayed=False)
    return await ports.starter.change_account(asked, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)
