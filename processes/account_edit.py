"""P9, edit of an account in the CRM: what the ERP owns and a person changed there is the ERP's to take, or undone.

The billing address is the ERP's and the CRM mirrors it. One that is edited in the CRM is set in the ERP; what the ERP
refuses is put back in the CRM, and whoever keeps the master data hears of it.
"""

from __future__ import annotations

from datetime import timedelta

from processes.account_case import AccountCase
from processes.account_change import DRIFT_QUEUE, changeable, restore_crm, restore_erp, tell
from processes.account_change import change_erp as set_erp
from processes.rules.application import check_address
from processes.steps import DONE, Outcome, Step, Verdict
from schema.enums import SourceSystem
from schema.records.operations import ExceptionTask
from schema.records.problems import Problem

__all__ = ["ACCOUNT_EDIT"]

DUE = timedelta(hours=8)
"""An edit that was put back is looked at within this time."""

_PLATFORM, _CRM, _ERP = SourceSystem.PLATFORM, SourceSystem.CRM, SourceSystem.CLOUD_ERP


async def check(case: AccountCase) -> Outcome:
    """Check that the account may be changed and that the address is one."""
    request = case.request
    account = (await case.use.crm.accounts([request.account_id])).get(request.account_id)
    problems: list[Problem] = [] if account is None else list(changeable(account))
    if request.wanted.billing is not None:
        problems += check_address(request.wanted.billing, "billing")
    return Outcome(Verdict.REFUSED, tuple(problems)) if problems else DONE


async def put_back(case: AccountCase) -> None:
    """Put back in the CRM what the ERP has, and tell whoever keeps the master data."""
    await restore_crm(case)
    request, now = case.request, case.use.clock.now()
    why = "; ".join(problem.message for problem in case.refusal)
    task = ExceptionTask(
        id=f"tsk_{request.process_id}_put_back",
        queue=DRIFT_QUEUE,
        kind="AccountEditRefused",
        state="OPEN",
        order_id=None,
        account_id=request.account_id,
        process_id=None,
        summary=f"the billing address of account {request.account_id} was edited in the CRM and is put back: {why}",
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=("DONE",),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])


# fmt: off
ACCOUNT_EDIT: tuple[Step[AccountCase], ...] = (
    Step("check",      _CRM,      "acc:{id}:{process}:check", check,   undo=put_back),
    Step("change_erp", _ERP,      "acc:{id}:{process}:ERP",   set_erp, undo=restore_erp, timeout_s=60.0),
    Step("tell",       _PLATFORM, "acc:{id}:{process}:tell",  tell),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""
