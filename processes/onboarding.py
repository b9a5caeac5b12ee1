"""P1, customer onboarding: from a request to a customer in ERP, finance and CRM, or to nothing anywhere.

SUBMITTED, VALIDATING while it is checked, AWAITING_DECISION while persons decide, then APPROVED, ACTIVATING and ACTIVE;
REJECTED when a check or a person says no, WITHDRAWN when nobody decides, FAILED_COMPENSATED when a system refused the
customer and the others were taken back. All that is wrong with a request is told at once.
"""

from __future__ import annotations

from processes.onboarding_activation import (
    activate_crm,
    activate_erp,
    activate_finance,
    block_customer,
    close_billing,
    finish,
    to_prospect,
)
from processes.onboarding_case import OnboardingCase
from processes.onboarding_checks import check, dedupe, receive
from processes.onboarding_decision import ESCALATE_AFTER, WITHDRAW_AFTER, close, decide, escalate, look, withdraw
from processes.steps import Alarm, Step, Waits
from schema.enums import SourceSystem

__all__ = ["CUSTOMER_ONBOARDING"]

_PLATFORM, _CRM, _ERP, _FINANCE = (
    SourceSystem.PLATFORM,
    SourceSystem.CRM,
    SourceSystem.CLOUD_ERP,
    SourceSystem.FINANCE,
)
_DECISIONS = Waits(look, (Alarm("escalate", ESCALATE_AFTER, escalate), Alarm("withdraw", WITHDRAW_AFTER, withdraw)))

# fmt: off
CUSTOMER_ONBOARDING: tuple[Step[OnboardingCase], ...] = (
    Step("receive",          _PLATFORM, "{process}",            receive,          undo=close),
    Step("dedupe",           _CRM,      "ob:{id}:dedupe",       dedupe),
    Step("check",            _ERP,      "ob:{id}:check",        check,            timeout_s=10.0),
    Step("decide",           _PLATFORM, "ob:{id}:decide",       decide,           waits=_DECISIONS),
    Step("activate_erp",     _ERP,      "ob:{id}:act:ERP",      activate_erp,     undo=block_customer, timeout_s=30.0),
    Step("activate_finance", _FINANCE,  "ob:{id}:act:FINANCE",  activate_finance, undo=close_billing,  timeout_s=30.0),
    Step("activate_crm",     _CRM,      "ob:{id}:act:CRM",      activate_crm,     undo=to_prospect,    timeout_s=30.0),
    Step("finish",           _PLATFORM, "ob:{id}:finish",       finish),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""
