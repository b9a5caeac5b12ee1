"""What of SOQL the CRM sandbox reads, and which SQL it makes of it."""

from __future__ import annotations

import pytest

from sandbox.crm.ids import full_id, make_id
from sandbox.crm.objects import SCHEMA
from sandbox.crm.soql import (
    And,
    Comparison,
    Literal,
    LiteralKind,
    Not,
    Or,
    Path,
    SoqlError,
    parse_soql,
)
from sandbox.crm.soql_sql import compile_soql
from sandbox.kit.store import Store


def where(condition: str) -> str:
    return f"SELECT Id FROM Account WHERE {condition}"


class TestParsing:
    def test_a_query_is_read_with_all_of_its_parts(self):
        query = parse_soql(
            "select Name, Owner.Name, (SELECT Id FROM Contacts LIMIT 2) from Account "
            "where Name = 'x' order by Name desc nulls last, Id limit 10 offset 20"
        )
        assert [path.names for path in query.fields] == [("Name",), ("Owner", "Name")]
        assert (query.source.names, query.limit, query.offset, query.is_count) == (("Account",), 10, 20, False)
        assert [(key.path.names, key.is_descending, key.nulls_last) for key in query.order] == [
            (("Name",), True, True),
            (("Id",), False, False),
        ]
        (child,) = query.children
        assert (child.source.names, child.limit) == (("Contacts",), 2)

    def test_a_count_has_no_fields(self):
        query = parse_soql("SELECT COUNT() FROM Order")
        assert (query.is_count, query.fields, query.source.names) == (True, (), ("Order",))

    @pytest.mark.parametrize(
        ("written", "operator", "literals"),
        [
            ("Name = 'x'", "=", [(LiteralKind.STRING, "x")]),
            ("Name != null", "!=", [(LiteralKind.NULL, "null")]),
            ("Name <> 'x'", "!=", [(LiteralKind.STRING, "x")]),
            ("Name LIKE 'a%'", "LIKE", [(LiteralKind.STRING, "a%")]),
            ("Name IN ('a', 'b')", "IN", [(LiteralKind.STRING, "a"), (LiteralKind.STRING, "b")]),
            ("Name not in ('a')", "NOT IN", [(LiteralKind.STRING, "a")]),
            ("Version__c >= -1.5", ">=", [(LiteralKind.NUMBER, "-1.5")]),
            ("IsDeleted = FALSE", "=", [(LiteralKind.BOOLEAN, "false")]),
            ("CloseDate < 2026-03-05", "<", [(LiteralKind.DATE, "2026-03-05")]),
            ("CreatedDate > 2026-03-05T10:00:00Z", ">", [(LiteralKind.DATETIME, "2026-03-05T10:00:00Z")]),
            (r"Name = 'it\'s'", "=", [(LiteralKind.STRING, r"it\'s")]),
        ],
    )
    def test_comparisons(self, written: str, operator: str, literals: list):
        found = parse_soql(where(written)).where
        assert isinstance(found, Comparison)
        assert found.operator == operator
        assert [(value.kind, value.text) for value in found.values] == literals

    def test_conditions_nest_as_their_parentheses_say(self):
        text = where("a = 1 AND (b = 2 OR (NOT c = 3))")
        a, b, c = (
            Comparison(Path((name,), text.index(part)), "=", (Literal(LiteralKind.NUMBER, value, text.index(value)),))
            for part, name, value in (("a = 1", "a", "1"), ("b = 2", "b", "2"), ("c = 3", "c", "3"))
        )
        assert parse_soql(text).where == And((a, Or((b, Not(c)))))

    @pytest.mark.parametrize(
        ("text", "column", "problem"),
        [
            pytest.param("", 1, "unexpected token: '<EOF>'", id="nothing"),
            pytest.param("SELECT FROM Account", 8, "'FROM'", id="no fields"),
            pytest.param("SELECT Id", 10, "'<EOF>'", id="no object"),
            pytest.param("SELECT Id FROM Account WHERE", 29, "'<EOF>'", id="no condition"),
            pytest.param(where("Name = 'x"), 37, "unexpected token: '''", id="a string without an end"),
            pytest.param(where("Name = 'x' AND Id = 'y' OR Id = 'z'"), 54, "'OR'", id="AND and OR mixed"),
            pytest.param(where("NOT Name = 'x' AND Id = 'y'"), 45, "'AND'", id="NOT beside AND"),
            pytest.param(where("Name = x"), 37, "'x'", id="a word as a value"),
            pytest.param(where("Name IS NULL"), 35, "'IS'", id="IS NULL is no SOQL"),
            pytest.param(where("Name IN ()"), 39, "')'", id="an empty list"),
            pytest.param(where("Name = 'x'; DROP TABLE"), 40, "';'", id="a second statement"),
            pytest.param("SELECT Id FROM Account LIMIT -1", 30, "'-1'", id="a negative limit"),
            pytest.param("SELECT Id FROM Account GROUP BY Name", 24, "'GROUP'", id="GROUP BY is left out"),
            pytest.param("SELECT (SELECT (SELECT Id FROM A) FROM B) FROM C", 16, "'('", id="a subquery within another"),
            pytest.param(where("(" * 40 + "a = 1" + ")" * 40), 61, "nested deeper than 30", id="too deep"),
            pytest.param(" " * 100_001, 100_001, "longer than 100000", id="too long"),
        ],
    )
    def test_what_cannot_be_read_is_refused_with_its_place(self, text: str, column: int, problem: str):
        with pytest.raises(SoqlError, match=f"ERROR at Row:1:Column:{column}\n") as refused:
            parse_soql(text)
        assert problem in str(refused.value)
        assert refused.value.code == "MALFORMED_QUERY"

    def test_places_are_counted_by_row(self):
        with pytest.raises(SoqlError, match="Row:2:Column:6"):
            parse_soql("SELECT Id\nFROM 'Account'")

    def test_an_offset_has_a_limit(self):
        with pytest.raises(SoqlError) as refused:
            parse_soql("SELECT Id FROM Account OFFSET 2001")
        assert refused.value.code == "NUMBER_OUTSIDE_VALID_RANGE"


class TestCompiling:
    @pytest.mark.parametrize(
        ("condition", "sql", "params"),
        [
            ("Name = 'x'", 't0."Name" IN (?)', ("x",)),
            ("Name = null", '(t0."Name" IS NULL OR t0."Name" IN ())', ()),
            ("Name != null", '(t0."Name" IS NOT NULL AND t0."Name" NOT IN ())', ()),
            ("Name != 'x'", '(t0."Name" IS NULL OR t0."Name" NOT IN (?))', ("x",)),
            ("Name IN ('x', null)", '(t0."Name" IS NULL OR t0."Name" IN (?))', ("x",)),
            (r"Name = 'o\'x\\'", 't0."Name" IN (?)', ("o'x\\",)),
            (r"Name LIKE 'a\%b\_%'", "t0.\"Name\" LIKE ? ESCAPE '\\'", (r"a\%b\_%",)),
            (r"Name LIKE '\\%'", "t0.\"Name\" LIKE ? ESCAPE '\\'", ("\\\\%",)),
            ("(NOT Name = 'x')", 'NOT coalesce(t0."Name" IN (?), 0)', ("x",)),
            ("IsDeleted = false", 't0."IsDeleted" IN (?)', (0,)),
            ("Id = '001000000000001'", 't0."Id" IN (?)', ("001000000000001AAA",)),
            ("CreatedDate > 2026-03-05T10:00:00+02:00", 't0."CreatedDate" > ?', ("2026-03-05T08:00:00.000+0000",)),
            ("Owner.Name = 'x'", 't1."Name" IN (?)', ("x",)),
        ],
    )
    def test_conditions_bind_their_values(self, condition: str, sql: str, params: tuple):
        statement = compile_soql(parse_soql(where(condition)), where(condition))
        assert statement.where == f'NOT t0."IsDeleted" AND {sql}'
        assert statement.params == params

    def test_each_parent_is_joined_once(self):
        text = "SELECT Parent.Name, Parent.Owner.Name FROM Account WHERE parent.name = 'x' ORDER BY Parent.Owner.Id"
        statement = compile_soql(parse_soql(text), text)
        assert statement.source == (
            '"Account" AS t0 LEFT JOIN "Account" AS t1 ON t1."Id" = t0."ParentId" '
            'LEFT JOIN "User" AS t2 ON t2."Id" = t1."OwnerId"'
        )

    @pytest.mark.parametrize(
        ("text", "code", "problem"),
        [
            ("SELECT Id FROM Lead", "INVALID_TYPE", "'Lead' is not supported"),
            ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'"),
            ("SELECT Owner.Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'User'"),
            ("SELECT Boss.Name FROM Account", "INVALID_FIELD", "relationship 'Boss'"),
            ("SELECT Id, Id FROM Account", "INVALID_FIELD", "duplicate field"),
            ("SELECT (SELECT Id FROM Leads) FROM Account", "INVALID_TYPE", "relationship 'Leads'"),
            (f"SELECT {'Parent.' * 6}Id FROM Account", "MALFORMED_QUERY", "at most 5 parents"),
            (where("Name = 1"), "INVALID_FIELD", "must be of type string and should be enclosed"),
            (where("Version__c = '1'"), "INVALID_FIELD", "must be of type double and should not be enclosed"),
            (where("CreatedDate > 2026-03-05"), "INVALID_FIELD", "must be of type dateTime"),
            (where("CreatedDate > 2026-13-05T00:00:00Z"), "MALFORMED_QUERY", "no such time"),
            (where("Name < null"), "INVALID_QUERY_FILTER_OPERATOR", "null"),
            (where("Id = 'x'"), "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
            (where("OwnerId LIKE '005%'"), "INVALID_QUERY_FILTER_OPERATOR", "reference"),
            (where(r"Name = 'a\%'"), "MALFORMED_QUERY", "escape"),
            (where(r"Name = 'a\q'"), "MALFORMED_QUERY", "escape"),
        ],
    )
    def test_what_does_not_fit_the_objects_is_refused(self, text: str, code: str, problem: str):
        with pytest.raises(SoqlError, match=problem) as refused:
            compile_soql(parse_soql(text), text)
        assert refused.value.code == code


class TestMeaning:
    """The SQL run over rows, for what differs between SOQL and SQL."""

    @pytest.fixture
    def store(self) -> Store:
        store = Store(None)
        store.script(SCHEMA)
        for number, (name, status) in enumerate((("Alpha", "Active"), ("a_b", None), ("axb", "Merged")), 1):
            store.execute(
                'INSERT INTO "Account" ("Id", "Name", "Account_Status__c", "IsDeleted") VALUES (?, ?, ?, 0)',
                (make_id("001", number), name, status),
            )
        return store

    @pytest.mark.parametrize(
        ("condition", "names"),
        [
            pytest.param("Name = 'ALPHA'", ["Alpha"], id="texts compare without case"),
            pytest.param("Name LIKE 'A%'", ["Alpha", "a_b", "axb"], id="patterns too"),
            pytest.param(r"Name LIKE 'a\_b'", ["a_b"], id="an escaped wildcard stands for itself"),
            pytest.param("Account_Status__c != 'Active'", ["a_b", "axb"], id="null differs from every text"),
            pytest.param("Account_Status__c NOT IN ('Active')", ["a_b", "axb"], id="null is in no list"),
            pytest.param("(NOT Account_Status__c = 'Active')", ["a_b", "axb"], id="NOT has two values"),
            pytest.param("Account_Status__c = null", ["a_b"], id="null can be asked for"),
            pytest.param("Name > 'alpha' AND Name < 'B'", ["axb"], id="texts have an order"),
            pytest.param("Name = '\\' OR 1=1 --'", [], id="a quote in a text ends nothing"),
        ],
    )
    def test_conditions_mean_what_they_mean_in_the_crm(self, store: Store, condition: str, names: list[str]):
        statement = compile_soql(parse_soql(where(condition)), where(condition))
        sql = f'SELECT t0."Name" AS name FROM {statement.source} WHERE {statement.where} ORDER BY t0."Id"'
        assert [row["name"] for row in store.query(sql, statement.params)] == names


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("001D000000IRFma", "001D000000IRFmaIAH"),
        ("001D000000IRFmaIAH", "001D000000IRFmaIAH"),
        ("001000000000001", "001000000000001AAA"),
        ("001", None),
        ("001-00000000001", None),
    ],
)
def test_ids_of_fifteen_characters_get_their_checksum(given: str, full: str | None):
    assert full_id(given) == full
