"""Records of accounts that were found to be the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schema.enums import AccountStatus
from schema.records.values import ExternalRef

__all__ = ["AccountMerge", "MergeAsked", "MergeStatus"]


class MergeStatus(StrEnum):
    """How far a merge is."""

    UNDER_WAY = "UNDER_WAY"
    DONE = "DONE"
    TAKEN_BACK = "TAKEN_BACK"


@dataclass(frozen=True, slots=True)
class MergeAsked:
    """Two accounts that somebody found to be the same: ``duplicate_id`` is to become ``survivor_id``."""

    survivor_id: str
    duplicate_id: str
    comment: str

    @property
    def account_id(self) -> str:
        """Account that the request is about."""
        return self.survivor_id


@dataclass(frozen=True, slots=True)
class AccountMerge:
    """One account that becomes another.

    Attributes:
        id: that of its process.
        duplicate_id: account that ends.
        survivor_id: account that it is from then on; a later merge of that one takes this with it.
        status_was: status of the duplicate before.
        refs: what systems call the duplicate; the survivor keeps them.
        is_customer: whether the ERP has the duplicate.
        belongings: what the CRM gave to the survivor, for taking it back.
    """

    id: str
    status: MergeStatus
    duplicate_id: str
    survivor_id: str
    status_was: AccountStatus
    refs: tuple[ExternalRef, ...]
    is_customer: bool
    belongings: tuple[str, ...]
    merged_by: str
    began_at: datetime
