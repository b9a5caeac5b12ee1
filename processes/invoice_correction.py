"""The end of an invoice that a person wants corrected: credited as a whole, and what is owed billed anew."""

from __future__ import annotations

from processes.invoice_case import InvoiceCase
from processes.invoice_facts import agreed_of
from processes.invoice_tasks import QUEUE, REBILL, invoice_task, lift, money, opened, resolution_of
from processes.order_checks import failed
from processes.rules.invoice_match import owed
from processes.steps import DONE, Outcome, Verdict
from schema.records.invoices import Rebilling
from systems.errors import NotFound, Rejected

__all__ = ["CREDIT_KEY", "REBILL_KEY", "credit", "rebill", "stand_again"]

CREDIT_KEY = "inv:{number}:credit"
REBILL_KEY = "inv:{number}:rebill"

_STANDS = Outcome(Verdict.SKIPPED, note="the invoice stands")


async def credit(case: InvoiceCase) -> Outcome:
    """Have the ERP credit an invoice that is to be corrected; a posted one is never edited."""
    if await resolution_of(case) != REBILL:
        return _STANDS
    try:
        await case.use.erp.credit_invoice(case.key(CREDIT_KEY), case.number)
    except (Rejected, NotFound) as error:
        return _refused(error)
    return DONE


async def stand_again(case: InvoiceCase) -> None:
    """Have the invoice stand again, and ask a person, because the ERP did not let it be corrected."""
    if await resolution_of(case) != REBILL:
        return
    await case.use.erp.take_credit_back(case.key(CREDIT_KEY), case.number)
    why = "; ".join(problem.message for problem in case.refusal)
    said = f"invoice {case.number} stands as it was posted: {why}"
    task = invoice_task(case, "REFUSED", QUEUE, "InvoiceCorrection", said, ("DONE",))
    await case.use.tasks.open_task(task, [opened(case, task)])


async def rebill(case: InvoiceCase) -> Outcome:
    """Have the ERP bill what was shipped at the agreed prices instead, and tell that the invoice is credited."""
    if await resolution_of(case) != REBILL:
        return _STANDS
    key = case.key(REBILL_KEY)
    try:
        memo = await case.use.erp.credit_invoice(case.key(CREDIT_KEY), case.number)
        made = await case.use.erp.find_rebilling(key) or await _bill_anew(case, key)
    except (Rejected, NotFound) as error:
        return _refused(error)
    facts = {"creditMemo": memo, "rebilledAs": made, "total": money(case.posted.invoice.total)}
    await lift(case)
    await case.use.events.append([case.news("invoice.credited", "credited", facts)])
    return DONE if made is not None else Outcome(Verdict.DONE, note="nothing of it is owed")


async def _bill_anew(case: InvoiceCase, key: str) -> str | None:
    """Return the number of the invoice of what is owed, None when nothing is."""
    lines, tax, freight = owed(case.posted, await agreed_of(case, is_credited=True))
    if not lines:
        return None
    return await case.use.erp.bill_anew(Rebilling(key, case.number, lines, tax, freight))


def _refused(error: Rejected | NotFound) -> Outcome:
    said = f"the ERP refuses to correct the invoice: {error.detail}"
    return Outcome(Verdict.REFUSED, (failed("CORRECTION_REFUSED", said),))
