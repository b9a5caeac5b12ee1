"""The CRM's webhooks as news."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.records.onboarding import Applicant
from schema.records.values import Address
from systems.news import AccountNews, CaseNews, OnboardingNews, QuoteNews, UnreadableNews, read_time
from systems.salesforce.session import CLIENT
from systems.salesforce.words import CASE_STATUS, OUR_CHANNEL, PRIORITY, QUOTE_STATUS, meaning
from systems.webhooks import Webhook

__all__ = ["read_news"]

_FIELDS = {
    "Name": "name",
    "Legal_Name__c": "legalName",
    "Account_Status__c": "status",
    "ParentId": "parent",
    "Bill_To__c": "billTo",
    "Territory__c": "territory",
    "OwnerId": "owner",
}
"""Fields that are the CRM's own, in the words of the graph; others than these and the address concern nobody here."""


_BELONGINGS = {"contact.changed": "contacts", "opportunity.changed": "opportunities"}
"""What belongs to an account and is told as a change of it, in the words of the graph."""


def read_news(webhook: Webhook) -> AccountNews | CaseNews | OnboardingNews | QuoteNews:
    """Return what a webhook tells.

    Raises:
        UnreadableNews: nobody knows its type, or it lacks what its type promises.
    """
    try:
        if webhook.type == "account.changed":
            return _account_news(webhook)
        if webhook.type in _BELONGINGS:
            return _belonging_news(webhook, _BELONGINGS[webhook.type])
        if webhook.type == "case.changed":
            return _case_news(webhook)
        if webhook.type == "quote.changed":
            return _quote_news(webhook)
        if webhook.type == "onboarding.requested":
            return _onboarding_news(webhook)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableNews(f"{webhook.type} lacks what it promises: {type(error).__name__} {error}") from error
    raise UnreadableNews(f"nobody knows webhooks of type {webhook.type!r} from the CRM")


def _account_news(webhook: Webhook) -> AccountNews:
    payload = webhook.payload
    account, changed = payload["account"], [str(name) for name in payload["changed"]]
    has_moved = any(name.startswith("Billing") for name in changed)
    return AccountNews(
        event_id=webhook.event_id,
        account_id=_text(account, "key"),
        version=int(account["version"]),
        changed=tuple(_FIELDS[name] for name in changed if name in _FIELDS),
        billing=_address(account["billing"]) if has_moved else None,
        at=read_time(payload, "occurredAt"),
        is_echo=payload["origin"] == CLIENT,
    )


def _belonging_news(webhook: Webhook, what: str) -> AccountNews:
    payload, account = webhook.payload, webhook.payload["account"]
    return AccountNews(
        event_id=webhook.event_id,
        account_id=_text(account, "key"),
        version=int(account["version"]),
        changed=(what,),
        billing=None,
        at=read_time(payload, "occurredAt"),
        is_echo=payload["origin"] == CLIENT,
    )


def _case_news(webhook: Webhook) -> CaseNews:
    told = webhook.payload["case"]
    case_id = _text(told, "key")
    return CaseNews(
        event_id=webhook.event_id,
        case_id=case_id,
        number=_text(told, "number"),
        account_id=_text(webhook.payload["account"], "key"),
        order_id=told["orderKey"],
        status=meaning(CASE_STATUS, told["status"], f"the status of case {case_id}"),
        priority=meaning(PRIORITY, told["priority"], f"the priority of case {case_id}"),
        opened_at=read_time(told, "openedAt"),
        first_response_at=None if told["firstResponseAt"] is None else read_time(told, "firstResponseAt"),
        resolved_at=None if told["resolvedAt"] is None else read_time(told, "resolvedAt"),
        is_ours=told["channel"] == OUR_CHANNEL,
    )


def _quote_news(webhook: Webhook) -> QuoteNews:
    told, changed = webhook.payload["quote"], webhook.payload["changed"]
    quote_id = _text(told, "key")
    status = meaning(QUOTE_STATUS, told["status"], f"the status of quote {quote_id}")
    is_echo = webhook.payload["origin"] == CLIENT
    is_said = not is_echo and ("Status" in changed or "created" in changed)
    return QuoteNews(
        event_id=webhook.event_id,
        quote_id=quote_id,
        status=status if is_said else None,
        at=read_time(webhook.payload, "occurredAt"),
    )


def _onboarding_news(webhook: Webhook) -> OnboardingNews:
    payload = webhook.payload
    account, contact = payload["account"], payload["contact"] or {}
    billing = _address(account["billing"])
    applicant = Applicant(
        legal_name=account["legalName"] or _text(account, "name"),
        billing=billing,
        ship_tos=(billing,),
        contact_name=contact.get("name") or "",
        contact_email=contact.get("email") or "",
        tax_registrations=(),
        currency=_text(account, "currency"),
        trade_name=_text(account, "name"),
        parent_account_id=payload["parentKey"],
        crm_account_id=_text(account, "id"),
    )
    return OnboardingNews(webhook.event_id, applicant, read_time(payload, "occurredAt"))


def _address(told: Mapping[str, Any]) -> Address:
    line1, _, line2 = (told["street"] or "").partition("\n")
    return Address(
        line1=line1,
        line2=line2.replace("\n", ", ") or None,
        city=told["city"] or "",
        region=told["state"],
        postal_code=told["postalCode"] or "",
        country=told["country"] or "",
    )


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is empty")
    return value
