"""Records: made, read, changed, found by their external id, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.crm.ids import full_id, make_id
from sandbox.crm.news import ChangeNews
from sandbox.crm.objects import Field, Kind, SObject, find_object
from sandbox.crm.query import attributes
from sandbox.crm.refusal import CrmRefusal
from sandbox.crm.values import day_text, show, time_text
from sandbox.kit.clock import SandboxClock
from sandbox.kit.rest import marks
from sandbox.kit.store import Store

__all__ = ["Records", "derived"]

_TYPES: Mapping[Kind, tuple[type, ...]] = {Kind.BOOLEAN: (bool,), Kind.DOUBLE: (int, float)}
_CLOSED_STAGES = ("Closed Won", "Closed Lost")
_KEYS = {"Contact": "con_", "Opportunity": "opp_", "Case": "cas_"}
"""Objects whose records get an external id by themselves when they belong to an account with one, and how it begins."""

_SETTLED = ("Resolved", "Closed")
"""Statuses of a case that nobody works on any more."""


def derived(target: SObject, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that follow from its others."""
    match target.name:
        case "Contact":
            return {"Name": " ".join(part for part in (row.get("FirstName"), row["LastName"]) if part)}
        case "Opportunity":
            return {"IsClosed": row["StageName"] in _CLOSED_STAGES, "IsWon": row["StageName"] == _CLOSED_STAGES[0]}
        case "Case":
            return {"IsClosed": row["Status"] == "Closed"}
    return {}


class Records:
    """The rows of all objects over a store."""

    def __init__(self, store: Store, clock: SandboxClock, news: ChangeNews) -> None:
        self._store = store
        self._clock = clock
        self._news = news

    def create(self, target: SObject, body: Mapping[str, Any], client: str = "") -> str:
        """Make a record for a client and return its id.

        Raises:
            CrmRefusal: it lacks a field, names one that is not there or may not be set, or is there already.
        """
        given = self._values(target, body)
        row = {entry.name: entry.default for entry in target.fields.values()} | given
        _require(target, row, row)
        self._refuse_double(target, row, "")
        now = time_text(self._clock.now())
        serial = self._one(f'SELECT count(*) AS n FROM "{target.name}"') + 1  # noqa: S608 - names are ours
        row |= {"Id": make_id(target.prefix, serial), "IsDeleted": False}
        row |= dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), now)
        if target.number is not None:
            sql = f'SELECT coalesce(max(CAST("{target.number}" AS INTEGER)), 0) AS n FROM "{target.name}"'  # noqa: S608
            row[target.number] = f"{self._one(sql) + 1:08d}"
        row |= derived(target, row)
        if target.name in _KEYS and row["Crossdock_Id__c"] is None and self._has_key(row["AccountId"]):
            row["Crossdock_Id__c"] = f"{_KEYS[target.name]}{row['Id']}"
        names = ", ".join(f'"{name}"' for name in row)
        sql = f'INSERT INTO "{target.name}" ({names}) VALUES ({marks(row)})'  # noqa: S608 - names are ours
        self._store.execute(sql, tuple(row.values()))
        self._news.belonging_changed(target, row, client, ("created",))
        return str(row["Id"])

    def update(self, target: SObject, record_id: str, body: Mapping[str, Any], client: str = "") -> None:
        """Change a record for a client.

        Raises:
            CrmRefusal: there is no such record, or the change is refused.
        """
        row = self._row(target, record_id)
        given = self._values(target, body)
        _require(target, row | given, given)
        self._refuse_double(target, given, row["Id"])
        if target.name == "Account" and "Version__c" not in given:
            given["Version__c"] = (row["Version__c"] or 0) + 1
        now = time_text(self._clock.now())
        given |= _stamps(target, row, given, now)
        changed = given | derived(target, row | given) | dict.fromkeys(("LastModifiedDate", "SystemModstamp"), now)
        self._set(target, row["Id"], changed)
        if target.name == "Account":
            self._news.account_changed(row, row | changed, client)
        else:
            named = tuple(sorted(name for name, value in given.items() if value != row[name]))
            self._news.belonging_changed(target, row | changed, client, named)

    def upsert(
        self, target: SObject, key: Field, value: str, body: Mapping[str, Any], client: str = ""
    ) -> tuple[bool, str]:
        """Change the record with this external id, or make it; return (whether it was made, its id).

        Raises:
            CrmRefusal: the record is refused, or its body names the external id a second time.
        """
        if key.name.lower() in {name.lower() for name in body}:
            message = f"The {key.name} field should not be specified in the sobject data."
            raise CrmRefusal(400, "INVALID_FIELD", message, (key.name,))
        found = self.find(target, key, value)
        if found is None:
            return True, self.create(target, {**body, key.name: value}, client)
        self.update(target, found, body, client)
        return False, found

    def read(self, target: SObject, record_id: str, base: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return a record with the named fields, or all of them.

        Raises:
            CrmRefusal: there is no such record or field.
        """
        row = self._row(target, record_id)
        fields = [_field(target, name) for name in names] or list(target.fields.values())
        shown = {entry.name: show(entry, row[entry.name]) for entry in fields}
        return {"attributes": attributes(target, row["Id"], base), **shown}

    def delete(self, target: SObject, record_id: str, client: str = "") -> None:
        """Put a record into the bin for a client.

        Raises:
            CrmRefusal: there is no such record.
        """
        row, now = self._row(target, record_id), time_text(self._clock.now())
        self._set(target, row["Id"], {"IsDeleted": True, "SystemModstamp": now})
        self._news.belonging_changed(target, row | {"LastModifiedDate": now}, client, ("deleted",))

    def find(self, target: SObject, key: Field, value: str) -> str | None:
        """Return the id of the record with this external id."""
        sql = f'SELECT "Id" FROM "{target.name}" WHERE "{key.name}" = ? AND NOT IsDeleted'  # noqa: S608
        row = self._store.one(sql, (value,))
        return None if row is None else str(row["Id"])

    def _row(self, target: SObject, record_id: str) -> dict[str, Any]:
        known = full_id(record_id)
        if known is None or not known.startswith(target.prefix):
            raise CrmRefusal(404, "NOT_FOUND", "The requested resource does not exist")
        row = self._store.one(f'SELECT * FROM "{target.name}" WHERE "Id" = ?', (known,))  # noqa: S608
        if row is None:
            raise CrmRefusal(404, "NOT_FOUND", "The requested resource does not exist")
        if row["IsDeleted"]:
            raise CrmRefusal(404, "ENTITY_IS_DELETED", "entity is deleted", ())
        return dict(row)

    def _set(self, target: SObject, record_id: str, changed: Mapping[str, Any]) -> None:
        columns = ", ".join(f'"{name}" = ?' for name in changed)
        sql = f'UPDATE "{target.name}" SET {columns} WHERE "Id" = ?'  # noqa: S608 - names are ours
        self._store.execute(sql, (*changed.values(), record_id))

    def _has_key(self, account_id: str | None) -> bool:
        sql = 'SELECT 1 FROM "Account" WHERE "Id" = ? AND "Crossdock_Id__c" IS NOT NULL'
        return self._store.one(sql, (account_id,)) is not None

    def _one(self, sql: str) -> int:
        return int(self._store.query(sql)[0]["n"])

    def _refuse_double(self, target: SObject, row: Mapping[str, Any], record_id: str) -> None:
        for entry in target.fields.values():
            value = row.get(entry.name)
            if not entry.is_external_id or value is None:
                continue
            other = self.find(target, entry, value)
            if other not in (None, record_id):
                message = f"duplicate value found: {entry.name} duplicates value on record with id: {other}"
                raise CrmRefusal(400, "DUPLICATE_VALUE", message, ())

    def _values(self, target: SObject, body: Mapping[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for name, value in body.items():
            pointer = target.parents.get(name.lower())
            if name == "attributes":
                continue
            if pointer is not None and isinstance(value, dict):
                row[pointer.name] = self._pointed(pointer, value)
                continue
            entry = _field(target, name)
            if not entry.is_writable:
                message = (
                    f"Unable to create/update fields: {entry.name}. Please check the security settings of this field."
                )
                raise CrmRefusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, (entry.name,))
            row[entry.name] = None if value is None or value == "" else self._value(entry, value)
        return row

    def _pointed(self, pointer: Field, value: Mapping[str, Any]) -> str:
        """Return the id of the record that a body names by its external id."""
        target = find_object(str(pointer.target))
        given = [(name, text) for name, text in value.items() if name != "attributes"]
        key = target.fields.get(given[0][0].lower()) if target is not None and len(given) == 1 else None
        if target is None or key is None or not key.is_external_id:
            message = f"{pointer.parent} must be named by exactly one external id"
            raise CrmRefusal(400, "INVALID_FIELD", message, ())
        found = self.find(target, key, str(given[0][1]))
        if found is None:
            message = f"Foreign key external ID: {given[0][1]} not found for field {key.name} in entity {target.name}"
            raise CrmRefusal(400, "INVALID_FIELD", message, ())
        return found

    def _value(self, entry: Field, value: Any) -> Any:
        if type(value) not in _TYPES.get(entry.kind, (str,)):
            message = f"Cannot deserialize instance of {entry.kind} from {type(value).__name__} value of {entry.name}"
            raise CrmRefusal(400, "JSON_PARSER_ERROR", message)
        match entry.kind:
            case Kind.DOUBLE:
                return float(value)
            case Kind.DATE | Kind.DATETIME:
                return _moment(entry, value)
            case Kind.REFERENCE:
                return self._reference(entry, value)
            case Kind.STRING if len(value) > entry.length:
                message = f"{entry.name}: data value too large: {value[:80]} (max length={entry.length})"
                raise CrmRefusal(400, "STRING_TOO_LONG", message, (entry.name,))
            case Kind.STRING if entry.values and value not in entry.values:
                message = f"{entry.name}: bad value for restricted picklist field: {value}"
                raise CrmRefusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (entry.name,))
        return value

    def _reference(self, entry: Field, value: str) -> str:
        known = full_id(value)
        if known is None:
            message = f"{entry.name}: id value of incorrect type: {value}"
            raise CrmRefusal(400, "MALFORMED_ID", message, (entry.name,))
        sql = f'SELECT "Id" FROM "{entry.target}" WHERE "Id" = ? AND NOT IsDeleted'  # noqa: S608 - names are ours
        if self._store.one(sql, (known,)) is None:
            raise CrmRefusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (entry.name,))
        return known


def _stamps(target: SObject, row: Mapping[str, Any], given: Mapping[str, Any], now: str) -> dict[str, str]:
    """Return when a case was answered and resolved, where its status says so for the first time."""
    status = given.get("Status")
    if target.name != "Case" or status in (None, "New"):
        return {}
    names = ("First_Response_At__c", "Resolved_At__c") if status in _SETTLED else ("First_Response_At__c",)
    return {name: now for name in names if row[name] is None and name not in given}


def _field(target: SObject, name: str) -> Field:
    found = target.fields.get(name.lower())
    if found is None:
        message = f"No such column '{name}' on sobject of type {target.name}"
        raise CrmRefusal(400, "INVALID_FIELD", message, ())
    return found


def _require(target: SObject, row: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    missing = [
        entry.name
        for entry in target.fields.values()
        if entry.is_required and entry.name in given and row.get(entry.name) is None
    ]
    if missing:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise CrmRefusal(400, "REQUIRED_FIELD_MISSING", message, tuple(missing))


def _moment(entry: Field, value: str) -> str:
    try:
        if entry.kind is Kind.DATE:
            return day_text(value)
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        message = f"Cannot deserialize instance of {entry.kind} from VALUE_STRING value {value[:40]}"
        raise CrmRefusal(400, "JSON_PARSER_ERROR", message) from error
    if moment.tzinfo is None:
        raise CrmRefusal(400, "JSON_PARSER_ERROR", f"{entry.name}: the time has no offset")
    return time_text(moment)
