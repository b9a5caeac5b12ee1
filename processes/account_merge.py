"""P9, merge of accounts: one becomes the other in every system, or in none.

The duplicate is closed first, so that nothing new begins with it; then what is open goes to the account that remains,
in the ERP that owns it first. Both keep their references: what a system calls the duplicate leads to the account that
remains. What is closed (paid invoices, ended orders, old agreements) stays with the duplicate, which can still be read.

Agreements on prices go along where the account that remains has none of its own for the same; about the others the
pricing desk is asked. What a process that began before writes for the duplicate afterwards (a quote, a task) follows
within a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from processes.dependencies import Dependencies
from processes.merge_case import MergeCase
from processes.order_checks import failed
from processes.order_pricing import PRICING_QUEUE
from processes.rules.merging import check_merge
from processes.steps import DONE, Outcome, Step, Verdict
from schema.enums import AccountStatus, SourceSystem
from schema.records.accounts import Account, CustomerTerms
from schema.records.merges import AccountMerge, MergeStatus
from schema.records.operations import ExceptionTask
from schema.records.problems import NotAllowedInState, Problem
from systems.errors import NotFound, Rejected

__all__ = ["ACCOUNT_MERGE", "carry_rest"]

MAX_LEVELS = 10
"""Parents that are looked through above an account; deeper trees than five levels are not allowed."""

MAX_NAMED = 20
"""Agreements that a task names."""

AGREEMENTS_DUE = timedelta(hours=24)
"""Agreements that were left behind are looked at within this time."""

AT_ONCE = 200
"""Documents of each ledger that follow a merged account in one commit."""

_PLATFORM, _CRM, _ERP = SourceSystem.PLATFORM, SourceSystem.CRM, SourceSystem.CLOUD_ERP


async def check(case: MergeCase) -> Outcome:
    """Check everything that can be wrong with the merge, and say all of it at once; take both accounts."""
    asked = case.request.asked
    accounts, terms = await _both(case)
    problems = list(check_merge(asked, accounts, terms, await _ancestors(case, accounts.get(asked.survivor_id))))
    if problems:
        return Outcome(Verdict.REFUSED, tuple(problems))
    duplicate, customer = accounts[asked.duplicate_id], terms.get(asked.duplicate_id)
    refs = [*duplicate.refs, *(() if customer is None else (customer.ref,))]
    merge = AccountMerge(
        id=case.request.process_id,
        status=MergeStatus.UNDER_WAY,
        duplicate_id=duplicate.id,
        survivor_id=asked.survivor_id,
        status_was=duplicate.status,
        refs=tuple(replace(ref, current=False) for ref in dict.fromkeys(refs)),
        is_customer=customer is not None,
        belongings=(),
        merged_by=case.request.asked_by,
        began_at=case.request.asked_at,
    )
    if await case.use.merges.begin(merge) is None:
        said = "another merge has one of the accounts: wait for its end and look again"
        return Outcome(Verdict.REFUSED, (_not_now("MERGING", said),))
    return DONE


async def leave(case: MergeCase) -> None:
    """Leave both accounts to other merges."""
    await case.use.merges.take_back(case.request.process_id)


async def close(case: MergeCase) -> Outcome:
    """Close the duplicate, so that no order, quote or change begins with it any more."""
    await case.use.crm.set_account_status(case.duplicate_id, AccountStatus.MERGED)
    return DONE


async def reopen(case: MergeCase) -> None:
    """Give the duplicate the status that it had."""
    await case.use.crm.set_account_status(case.duplicate_id, (await case.merge()).status_was)


async def settle(case: MergeCase) -> Outcome:
    """Check that nothing is being decided about orders of the duplicate: an order changes hands only as a whole."""
    numbers = await case.use.merges.under_decision(case.duplicate_id)
    if not numbers:
        return DONE
    said = f"orders {', '.join(numbers)} of the duplicate are under decision: merge when they are accepted or ended"
    return Outcome(Verdict.REFUSED, (_not_now("ORDERS_UNDER_DECISION", said),))


async def merge_erp(case: MergeCase) -> Outcome:
    """Give what is open in the ERP to the customer that remains, and block the duplicate's."""
    if not (await case.merge()).is_customer:
        return Outcome(Verdict.SKIPPED, note="the ERP does not know the duplicate")
    try:
        await case.use.erp.merge_customers(case.erp_key, case.duplicate_id, case.account_id)
    except (Rejected, NotFound) as error:
        return _refused(_ERP, error)
    return DONE


async def unmerge_erp(case: MergeCase) -> None:
    """Give back in the ERP what the duplicate's customer had."""
    if (await case.merge()).is_customer:
        await case.use.erp.take_merge_back(case.erp_key, case.duplicate_id)


async def merge_crm(case: MergeCase) -> Outcome:
    """Give contacts, open opportunities, cases and orders, and children, to the account that remains.

    What is given is written down first: giving back needs it.
    """
    merge = await case.merge()
    try:
        found = await case.use.crm.belongings(case.duplicate_id)
        known = tuple(dict.fromkeys((*merge.belongings, *found)))
        await case.use.merges.note(replace(merge, belongings=known))
        await case.use.crm.give_belongings(known, case.account_id)
    except Rejected as error:
        return _refused(_CRM, error)
    return DONE


async def unmerge_crm(case: MergeCase) -> None:
    """Give back in the CRM what the duplicate had."""
    belongings = (await case.merge()).belongings
    if belongings:
        await case.use.crm.give_belongings(belongings, case.duplicate_id)


async def carry_over(case: MergeCase) -> Outcome:
    """Give open orders, quotes, returns and tasks to the account that remains, and tell it to whoever follows either.

    Agreements that were left behind are asked about in the same commit.
    """
    merge, request = await case.merge(), case.request
    if merge.status is MergeStatus.DONE:
        return DONE
    asked = await _agreements_task(case) if merge.is_customer else None
    facts = {"survivorId": case.account_id, "duplicateId": case.duplicate_id, "by": request.asked_by}
    manual = request.asked_by.startswith("user:")
    told = [
        replace(case.news_of(account, "account.merged", "merged", facts), actor=request.asked_by, manual=manual)
        for account in (case.account_id, case.duplicate_id)
    ]
    if asked is not None:
        said = {"taskId": asked.id, "queue": asked.queue, "kind": asked.kind, "summary": asked.summary}
        told.append(case.news("task.opened", asked.id, said))
    await case.use.merges.carry_over(merge, told, asked)
    return DONE


async def carry_rest(use: Dependencies) -> None:
    """Give what was written for merged accounts since to those that they are now.

    Cancel/retry: safe to repeat.

    Raises:
        ConnectorError: the platform's ledgers do not answer, or somebody wrote a document at this moment.
    """
    while await use.merges.carry_rest(AT_ONCE) > 0:
        pass


async def _agreements_task(case: MergeCase) -> ExceptionTask | None:
    """Return what the pricing desk is asked about agreements that the account that remains has otherwise, if any."""
    now = case.use.clock.now()
    rows = (await case.use.erp.agreements_of([case.duplicate_id]))[case.duplicate_id]
    left = [row.number for row in rows if row.valid_to is None or row.valid_to >= now.date()]
    if not left:
        return None
    named = ", ".join(left[:MAX_NAMED]) + ("" if len(left) <= MAX_NAMED else f" and {len(left) - MAX_NAMED} more")
    return ExceptionTask(
        id=f"tsk_{case.request.process_id}_agreements",
        queue=PRICING_QUEUE,
        kind="AgreementsLeft",
        state="OPEN",
        order_id=None,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"agreements {named} stay with the merged account {case.duplicate_id}: {case.account_id} has its own "
        "for the same, or its ERP does not move them",
        opened_at=now,
        due_at=now + AGREEMENTS_DUE,
        assignee=None,
        resolutions=("DONE",),
    )


async def _both(case: MergeCase) -> tuple[Mapping[str, Account], Mapping[str, CustomerTerms]]:
    ids = [case.account_id, case.duplicate_id]
    accounts, terms = await asyncio.gather(case.use.crm.accounts(ids), case.use.erp.terms(ids))
    return accounts, terms


async def _ancestors(case: MergeCase, account: Account | None) -> tuple[str, ...]:
    """Return the ids of the accounts above one, the nearest first."""
    found: list[str] = []
    while account is not None and account.parent_id is not None and len(found) < MAX_LEVELS:
        found.append(account.parent_id)
        account = (await case.use.crm.accounts([account.parent_id])).get(account.parent_id)
    return tuple(found)


def _not_now(state: str, said: str) -> NotAllowedInState:
    return NotAllowedInState(
        code="NOT_ALLOWED_IN_STATE", message=said, path=("duplicateId",), retryable=True, state=state, allowed=()
    )


def _refused(system: SourceSystem, error: Rejected | NotFound) -> Outcome:
    problem: Problem = failed(f"REFUSED_BY_{system.value}", f"{system} refuses the merge: {error.detail}")
    return Outcome(Verdict.REFUSED, (problem,))


# fmt: off
ACCOUNT_MERGE: tuple[Step[MergeCase], ...] = (
    Step("check",      _CRM,      "mrg:{id}:{duplicate}:{process}:check", check,      undo=leave),
    Step("close",      _CRM,      "mrg:{id}:{duplicate}:{process}:close", close,      undo=reopen),
    Step("settle",     _PLATFORM, "mrg:{id}:{duplicate}:{process}:look",  settle),
    Step("merge_erp",  _ERP,      "mrg:{id}:{duplicate}:{process}:ERP",   merge_erp,  undo=unmerge_erp, timeout_s=60.0),
    Step("merge_crm",  _CRM,      "mrg:{id}:{duplicate}:{process}:CRM",   merge_crm,  undo=unmerge_crm, timeout_s=60.0),
    Step("carry_over", _PLATFORM, "mrg:{id}:{duplicate}:{process}:carry", carry_over),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back. After carry_over a merge
is final: what is one account by then is made two again by persons."""
