"""P9, change of an account: in the system that owns a value first, then in those that mirror it, or nowhere.

Terms and billing address are the ERP's, so it comes first; the owner is the CRM's, which mirrors the billing address
and keeps the version. What one system refuses is restored in the other to what both agreed on before; when that is
refused too, the systems differ and a task says so.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from processes.account_case import AccountCase
from processes.order_checks import failed
from processes.rules.application import check_address
from processes.steps import DONE, Outcome, Step, Verdict
from schema.enums import AccountStatus, SourceSystem
from schema.records.accounts import Account, AccountValues
from schema.records.operations import ExceptionTask
from schema.records.problems import NotAllowedInState, Problem, ValidationFailed, VersionConflict
from systems.errors import Rejected

__all__ = [
    "ACCOUNT_CHANGE",
    "DRIFT_QUEUE",
    "change_erp",
    "changeable",
    "changed_fields",
    "restore_crm",
    "restore_erp",
    "tell",
]

DRIFT_QUEUE = "MASTER_DATA"
"""Queue of tasks about systems that differ."""

DRIFT_DUE = timedelta(hours=8)
"""A difference is looked at within this time."""

MAX_COMMENT = 2_000
"""Characters of a comment."""

_TERMS = re.compile(r"[0-9A-Z]{1,10}")
_CHANGEABLE = (AccountStatus.PROSPECT, AccountStatus.PENDING, AccountStatus.ACTIVE, AccountStatus.ON_HOLD)
_PLATFORM, _CRM, _ERP = SourceSystem.PLATFORM, SourceSystem.CRM, SourceSystem.CLOUD_ERP


def changed_fields(values: AccountValues) -> list[str]:
    """Return what is changed, in the words of the graph."""
    given = {"paymentTerms": values.payment_terms, "owner": values.owner_id, "billing": values.billing}
    return [name for name, value in given.items() if value is not None]


def changeable(account: Account) -> Iterator[NotAllowedInState]:
    """Yield that an account stays as it is, when it does."""
    if account.status not in _CHANGEABLE:
        yield NotAllowedInState(
            code="NOT_ALLOWED_IN_STATE",
            message=f"account {account.number} is {account.status.lower()} and stays as it is",
            path=("accountId",),
            state=account.status.value,
            allowed=(),
        )


async def check(case: AccountCase) -> Outcome:
    """Check everything that can be wrong with the change, and say all of it at once."""
    request = case.request
    account = (await case.use.crm.accounts([request.account_id])).get(request.account_id)
    problems: list[Problem] = list(_broken_rules(case))
    owner = request.wanted.owner_id
    if owner and owner not in await case.use.crm.users([owner]):
        problems.append(failed("UNKNOWN_OWNER", f"user {owner} does not exist", "ownerId"))
    if account is None:
        said = f"account {request.account_id} does not exist"
        return _refused([failed("UNKNOWN_ACCOUNT", said, "accountId"), *problems])
    problems += changeable(account)
    if account.version != request.version:
        problems.append(_conflict(request.version, account.version))
    if problems:
        return _refused(problems)
    if not await case.takes_its_turn():
        return _refused([_conflict(request.version, request.version + 1)])
    return DONE


async def change_erp(case: AccountCase) -> Outcome:
    """Set the ERP's values."""
    mine = replace(case.request.wanted, owner_id=None)
    if not case.request.is_customer or not changed_fields(mine):
        return Outcome(Verdict.SKIPPED, note="nothing of this is the ERP's")
    return await _write(lambda: case.use.erp.change_customer(case.account_id, mine))


async def change_crm(case: AccountCase) -> Outcome:
    """Set the CRM's values and the next version."""
    request = case.request
    mine = replace(request.wanted, payment_terms=None)
    return await _write(lambda: case.use.crm.change_account(case.account_id, mine, request.version + 1))


async def tell(case: AccountCase) -> Outcome:
    """Tell what has changed, not into what."""
    request = case.request
    facts = {
        "changed": changed_fields(request.wanted),
        "version": request.version + 1,
        "by": request.asked_by,
        "askedAt": request.asked_at.isoformat(),
    }
    told = case.news("account.changed", "changed", facts)
    manual = request.asked_by.startswith("user:")
    await case.use.events.append([replace(told, actor=request.asked_by, manual=manual)])
    return DONE


async def restore_erp(case: AccountCase) -> None:
    """Set the ERP's values to those of before."""
    request = case.request
    before = _restored(request.wanted, request.before)
    mine = replace(before, owner_id=None)
    if request.is_customer and changed_fields(mine):
        await _restore(case, _ERP, lambda: case.use.erp.change_customer(case.account_id, mine))


async def restore_crm(case: AccountCase) -> None:
    """Set the CRM's values to those of before, under a version of their own."""
    request = case.request
    mine = replace(_restored(request.wanted, request.before), payment_terms=None)
    await _restore(case, _CRM, lambda: case.use.crm.change_account(case.account_id, mine, request.version + 2))


def _broken_rules(case: AccountCase) -> Iterator[ValidationFailed]:
    request = case.request
    wanted = request.wanted
    if not changed_fields(wanted):
        yield failed("NOTHING_TO_CHANGE", "name at least one of paymentTerms, ownerId and billing", "input")
    if wanted.payment_terms is not None:
        if not _TERMS.fullmatch(wanted.payment_terms):
            said = f"payment terms {wanted.payment_terms!r} are no code of up to ten capitals and digits such as NET30"
            yield failed("PAYMENT_TERMS", said, "paymentTerms")
        if not request.is_customer:
            yield failed("NOT_A_CUSTOMER", "the ERP has no such customer whose terms could change", "paymentTerms")
    if wanted.billing is not None:
        yield from check_address(wanted.billing, "billing")
    if wanted.owner_id == "":
        yield failed("UNKNOWN_OWNER", "an owner has an id", "ownerId")
    if request.comment is not None and len(request.comment) > MAX_COMMENT:
        yield failed("COMMENT", f"a comment has at most {MAX_COMMENT} characters", "comment")


def _restored(wanted: AccountValues, before: AccountValues) -> AccountValues:
    """Return of what was agreed on before the values that the change touches."""
    return AccountValues(
        payment_terms=None if wanted.payment_terms is None else before.payment_terms,
        owner_id=None if wanted.owner_id is None else before.owner_id,
        billing=None if wanted.billing is None else before.billing,
    )


async def _write(work: Callable[[], Awaitable[None]]) -> Outcome:
    try:
        await work()
    except Rejected as error:
        system = error.system
        problem = failed(f"REFUSED_BY_{system.value}", f"{system} refuses the change: {error.detail}", *error.fields)
        return _refused([problem])
    return DONE


async def _restore(case: AccountCase, system: SourceSystem, work: Callable[[], Awaitable[None]]) -> None:
    """Restore the values of a system; what it refuses is a difference that a person settles."""
    try:
        await work()
    except Rejected as error:
        await _open_drift_task(case, system, error.detail)


async def _open_drift_task(case: AccountCase, system: SourceSystem, why: str) -> None:
    request, now = case.request, case.use.clock.now()
    fields = ", ".join(changed_fields(request.wanted))
    task = ExceptionTask(
        id=f"tsk_{request.process_id}_drift_{system.lower()}",
        queue=DRIFT_QUEUE,
        kind="AccountDrift",
        state="OPEN",
        order_id=None,
        account_id=request.account_id,
        process_id=request.process_id,
        summary=f"{system} has other values of account {request.account_id} ({fields}) than the rest: {why}",
        opened_at=now,
        due_at=now + DRIFT_DUE,
        assignee=None,
        resolutions=("RESTORED", "ACCEPTED"),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])


def _conflict(version: int, current: int) -> VersionConflict:
    return VersionConflict(
        code="VERSION_CONFLICT",
        message=f"the account has changed since version {version}: read it again",
        path=("version",),
        current_version=current,
    )


def _refused(problems: list[Problem]) -> Outcome:
    return Outcome(Verdict.REFUSED, tuple(problems))


# fmt: off
ACCOUNT_CHANGE: tuple[Step[AccountCase], ...] = (
    Step("check",      _CRM,      "acc:{id}:{process}:check", check),
    Step("change_erp", _ERP,      "acc:{id}:{process}:ERP",   change_erp, undo=restore_erp, timeout_s=60.0),
    Step("change_crm", _CRM,      "acc:{id}:{process}:CRM",   change_crm, undo=restore_crm, timeout_s=60.0),
    Step("tell",       _PLATFORM, "acc:{id}:{process}:tell",  tell),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""
