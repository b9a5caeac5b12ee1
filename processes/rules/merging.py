"""Which accounts can become one: both there, in a state for it, alike where documents change hands, in no circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schema.enums import AccountStatus
from schema.records.accounts import Account, CustomerTerms
from schema.records.merges import MergeAsked
from schema.records.problems import HierarchyInvalid, NotAllowedInState, Problem, ValidationFailed

__all__ = ["check_merge"]

MAX_COMMENT = 2_000
"""Characters of a comment."""

_MAY_REMAIN = (AccountStatus.PROSPECT, AccountStatus.ACTIVE, AccountStatus.ON_HOLD)
_MAY_END = (AccountStatus.PROSPECT, AccountStatus.ACTIVE, AccountStatus.ON_HOLD, AccountStatus.INACTIVE)


def check_merge(
    asked: MergeAsked,
    accounts: Mapping[str, Account],
    terms: Mapping[str, CustomerTerms],
    above_survivor: Sequence[str],
) -> Iterator[Problem]:
    """Yield everything that stands against a merge.

    Args:
        asked: which account is to become which.
        accounts: the two by id, as far as they exist.
        terms: the two as customers of the ERP, as far as they are.
        above_survivor: ids of all accounts above the one that remains.
    """
    if not 0 < len(asked.comment.strip()) <= MAX_COMMENT:
        yield _failed("COMMENT", f"say why in 1 to {MAX_COMMENT} characters", "comment")
    if asked.survivor_id == asked.duplicate_id:
        yield _failed("SAME_ACCOUNT", "an account cannot be merged into itself", "duplicateId")
        return
    for account_id, field, allowed in (
        (asked.survivor_id, "survivorId", _MAY_REMAIN),
        (asked.duplicate_id, "duplicateId", _MAY_END),
    ):
        account = accounts.get(account_id)
        if account is None:
            yield _failed("UNKNOWN_ACCOUNT", f"account {account_id} does not exist", field)
        elif account.status not in allowed:
            yield NotAllowedInState(
                code="NOT_ALLOWED_IN_STATE",
                message=f"account {account.number} is {account.status.value.lower()}",
                path=(field,),
                state=account.status.value,
                allowed=(),
            )
    if asked.duplicate_id in above_survivor:
        yield HierarchyInvalid(
            code="HIERARCHY_INVALID",
            message="the account that remains stands below the duplicate and would stand below itself",
            path=("survivorId",),
            parent_id=asked.duplicate_id,
            reason="CYCLE",
        )
    yield from _unlike(asked, accounts, terms)


def _unlike(
    asked: MergeAsked, accounts: Mapping[str, Account], terms: Mapping[str, CustomerTerms]
) -> Iterator[ValidationFailed]:
    """Yield where documents of the one could not become the other's."""
    survivor, duplicate = accounts.get(asked.survivor_id), accounts.get(asked.duplicate_id)
    if survivor is not None and duplicate is not None and survivor.erp_home is not duplicate.erp_home:
        said = f"{duplicate.number} is at home in {duplicate.erp_home}, {survivor.number} in {survivor.erp_home}"
        yield _failed("OTHER_ERP", said, "duplicateId")
    ours, theirs = terms.get(asked.survivor_id), terms.get(asked.duplicate_id)
    if theirs is None:
        return
    if ours is None:
        said = "the duplicate is a customer and the account that remains is none: merge the other way round"
        yield _failed("NOT_A_CUSTOMER", said, "survivorId")
    elif ours.currency != theirs.currency:
        yield _failed("OTHER_CURRENCY", f"{theirs.number} buys in {theirs.currency}, {ours.number} in {ours.currency}",
                      "duplicateId")  # fmt: skip


def _failed(rule: str, said: str, field: str) -> ValidationFailed:
    return ValidationFailed(code="VALIDATION_FAILED", message=said, path=(field,), rule=rule, field=field)
