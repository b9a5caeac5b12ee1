"""Rules of onboarding: duplicates, tax ids, territory, prices, hierarchy, credit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.demo.territories import DEMO_TERRITORIES
from crossdock.settings import TerritorySettings
from crossdock.wiring.territories import territory_rules
from processes.rules.duplicates import (
    DOUBTFUL,
    DUPLICATE,
    MAX_CANDIDATES,
    Identity,
    email_domain,
    find_candidates,
    likeness,
    plain_name,
    plain_number,
    plain_postal_code,
)
from processes.rules.hierarchy import MAX_DEPTH, check_parent, check_price_group
from processes.rules.new_credit import NEW_CREDIT, judge_credit, persons_needed
from processes.rules.tax_ids import check_registrations
from processes.rules.territory import Assignment, TerritoryRule, assign_territory
from schema.enums import AccountStatus
from schema.records.problems import TerritoryUnassigned
from schema.records.values import Money
from tests.support.fake_systems import account
from tests.support.onboarding_records import address, registration
from tests.support.rule_records import TODAY, terms

QUAY = Identity(
    frozenset({"quayside valves"}),
    "77001",
    frozenset({"DE136695976"}),
    frozenset({"9521234500001"}),
    frozenset({"quayside.example"}),
)
NOBODY = Identity()
identities = st.builds(
    Identity,
    st.frozensets(st.sampled_from("abc"), max_size=2),
    st.sampled_from([None, "1", "2"]),
    st.frozensets(st.sampled_from("abc"), max_size=2),
    st.frozensets(st.sampled_from("abc"), max_size=2),
    st.frozensets(st.sampled_from("abc"), max_size=2),
)


class TestDuplicates:
    @pytest.mark.parametrize(
        ("other", "matched", "verdict"),
        [
            pytest.param(NOBODY, (), "new", id="nothing in common"),
            pytest.param(Identity(tax_numbers=QUAY.tax_numbers), ("TAX_ID",), "duplicate", id="tax id"),
            pytest.param(Identity(glns=QUAY.glns), ("GLN",), "duplicate", id="location number"),
            pytest.param(
                Identity(QUAY.names, "77001"), ("NAME_AND_POSTAL_CODE",), "doubtful", id="name and postal code"
            ),
            pytest.param(Identity(QUAY.names, "10001"), ("NAME",), "new", id="name elsewhere"),
            pytest.param(Identity(postal_code="77001"), (), "new", id="postal code alone"),
            pytest.param(Identity(email_domains=QUAY.email_domains), ("EMAIL_DOMAIN",), "new", id="e-mail domain"),
            pytest.param(
                Identity(QUAY.names, "77001", email_domains=QUAY.email_domains),
                ("NAME_AND_POSTAL_CODE", "EMAIL_DOMAIN"),
                "doubtful",
                id="name, postal code and e-mail domain",
            ),
            pytest.param(
                Identity(QUAY.names, email_domains=QUAY.email_domains),
                ("NAME", "EMAIL_DOMAIN"),
                "new",
                id="name and e-mail domain",
            ),
        ],
    )
    def test_what_is_in_common_decides(self, other: Identity, matched: tuple[str, ...], verdict: str):
        score, found = likeness(QUAY, other)
        assert found == matched
        assert verdict == ("duplicate" if score >= DUPLICATE else "doubtful" if score >= DOUBTFUL else "new")

    @given(identities, identities)
    def test_likeness_is_mutual_and_never_certain(self, one: Identity, other: Identity):
        assert likeness(one, other) == likeness(other, one)
        assert 0 <= likeness(one, other)[0] < 1

    @given(identities, identities, identities)
    def test_more_in_common_never_lowers_the_score(self, one: Identity, other: Identity, more: Identity):
        richer = Identity(
            other.names | more.names,
            other.postal_code,
            other.tax_numbers | more.tax_numbers,
            other.glns | more.glns,
            other.email_domains | more.email_domains,
        )
        assert likeness(one, richer)[0] >= likeness(one, other)[0]

    def test_candidates_come_most_alike_first_and_are_few(self):
        known = {f"acc_{place:02d}": Identity(QUAY.names, "77001") for place in range(MAX_CANDIDATES + 5)}
        known["acc_z"] = QUAY
        found = find_candidates(QUAY, known)
        assert [entry.account_id for entry in found[:2]] == ["acc_z", "acc_00"]
        assert len(found) == MAX_CANDIDATES

    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            ("Quayside Valves Inc.", "quayside valves"),
            ("QUAYSIDE  VALVES, LLC", "quayside valves"),
            ("Müller & Söhne GmbH", "muller sohne"),
            ("Van Dijk B.V.", "van dijk"),
            ("Tubos S.A. de C.V.", "tubos"),
            ("The Company", "the company"),
            ("...", ""),
        ],
    )
    def test_names_are_compared_without_accents_marks_and_legal_forms(self, name: str, plain: str):
        assert plain_name(name) == plain

    @given(st.text(max_size=40))
    def test_plain_forms_stay_as_they_are(self, text: str):
        assert plain_name(plain_name(text)) == plain_name(text)
        assert plain_number(plain_number(text)) == plain_number(text)
        assert plain_postal_code(plain_postal_code(text)) == plain_postal_code(text)

    @pytest.mark.parametrize(
        ("code", "plain"), [("77001-1234", "77001"), ("k1a 0b1", "K1A0B1"), ("770011234", "77001"), ("", "")]
    )
    def test_postal_codes_are_compared_without_marks(self, code: str, plain: str):
        assert plain_postal_code(code) == plain

    @pytest.mark.parametrize(
        ("mail", "domain"),
        [("bo@Quayside.example", "quayside.example"), ("bo@gmail.com", None), ("bo@example.com", None), ("bo@", None)],
    )
    def test_domains_that_many_share_say_nothing(self, mail: str, domain: str | None):
        assert email_domain(mail) == domain


def why(*registrations, on: date = TODAY, places=None) -> list[str]:
    found = check_registrations(registrations, places or [address()], on)
    return [problem.message for problem in found]


class TestTaxIds:
    @pytest.mark.parametrize(
        ("kind", "number", "jurisdiction"),
        [
            ("VAT", "DE136695976", "DE"),
            ("VAT", "de 136 695 976", "DE"),
            ("VAT", "NL004495445B01", "NL"),
            ("VAT", "NL000099998B57", "NL"),
            ("VAT", "EL123456789", "GR"),
            ("GST", "123456782RT0001", "CA"),
            ("GST", "CA123456782 RT 0001", "CA"),
            ("RFC", "ABC850101AB1", "MX"),
            ("RFC", "MXABCD000229XYA", "MX"),
            ("EIN", "12-3456789", "US"),
            ("EIN", "12-3456789", "US-TX"),
        ],
    )
    def test_numbers_that_can_be_some_pass(self, kind: str, number: str, jurisdiction: str):
        entry = registration(kind=kind, number=number, jurisdiction=jurisdiction, exempt=False)
        assert why(entry) == []

    @pytest.mark.parametrize(
        ("kind", "number", "jurisdiction", "said"),
        [
            pytest.param("VAT", "DE136695975", "DE", "cannot be a number", id="a wrong check digit"),
            pytest.param("VAT", "DE036695976", "DE", "cannot be a number", id="a leading zero"),
            pytest.param("VAT", "NL004495446B01", "NL", "cannot be a number", id="a wrong Dutch check digit"),
            pytest.param("VAT", "FR136695976", "DE", "cannot be a number", id="another country's number"),
            pytest.param("VAT", "US123456789", "US", "no", id="VAT outside of the union"),
            pytest.param("GST", "123456789RT0001", "CA", "cannot be a number", id="digits that fail Luhn"),
            pytest.param("RFC", "ABC851301AB1", "MX", "cannot be a number", id="a month that does not exist"),
            pytest.param("EIN", "00-3456789", "US", "cannot be a number", id="a prefix that is not given"),
            pytest.param("PASSPORT", "1", "US", "use one of EIN, GST", id="an unknown kind"),
            pytest.param("EIN", "12-3456789", "Texas", "use a country", id="a jurisdiction that is none"),
            pytest.param("VAT", "", "DE", "cannot be a number", id="nothing"),
        ],
    )
    def test_numbers_that_cannot_be_some_are_named(self, kind: str, number: str, jurisdiction: str, said: str):
        entry = registration(kind=kind, number=number, jurisdiction=jurisdiction, exempt=False)
        (problem,) = check_registrations([registration(), entry], [address()], TODAY)
        assert said in problem.message
        assert (problem.path, problem.number) == (("taxRegistrations", "1"), number)

    @given(st.integers(0, 8), st.integers(1, 9))
    def test_no_digit_of_a_german_number_can_be_another(self, place: int, shift: int):
        digits = [int(digit) for digit in "136695976"]
        digits[place] = (digits[place] + shift) % 10
        number = "DE" + "".join(str(digit) for digit in digits)
        assert why(registration(kind="VAT", number=number, jurisdiction="DE", exempt=False))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            pytest.param({"certificate_expires": TODAY}, None, id="ends today"),
            pytest.param({"certificate_expires": date(2026, 3, 3)}, "ended on 2026-03-03", id="ended yesterday"),
            pytest.param({"certificate_expires": None}, "has no end", id="has no end"),
            pytest.param({"jurisdiction": "US-NV"}, "where nothing is delivered", id="is for another state"),
            pytest.param({"jurisdiction": "US"}, None, id="is for the whole country"),
        ],
    )
    def test_an_exemption_must_hold_where_goods_go(self, change: dict, said: str | None):
        found = why(registration(**change))
        assert found == [] if said is None else said in found[0]

    def test_without_any_registration_one_is_asked_for(self):
        (problem,) = check_registrations([], [address()], TODAY)
        assert (problem.jurisdiction, problem.number) == ("US-TX", None)

    def test_everything_that_is_wrong_is_told(self):
        assert len(why(registration(kind="X"), registration(number="!"), registration())) == 2


ONE, TWO, THREE, FOUR = (Assignment(f"ter_{number}", f"usr_{number}") for number in range(1, 5))
PLAN = (
    TerritoryRule(ONE, "US"),
    TerritoryRule(TWO, "US", region="TX"),
    TerritoryRule(THREE, "US", postal_prefix="770"),
    TerritoryRule(FOUR, "US", postal_prefix="7700"),
    TerritoryRule(ONE, "US", account_name="Quayside Valves LLC"),
)


class TestTerritory:
    @pytest.mark.parametrize(
        ("names", "place", "found"),
        [
            pytest.param(["Quayside Valves Inc."], address(), ONE, id="a named account before all"),
            pytest.param(["Other"], address(), FOUR, id="the longest postal prefix"),
            pytest.param(["Other"], address(postal_code="77101"), TWO, id="the region without a prefix"),
            pytest.param(["Other"], address(postal_code="77099"), THREE, id="a shorter prefix"),
            pytest.param(["Other"], address(region="NY", postal_code="10001"), ONE, id="the country for the rest"),
        ],
    )
    def test_the_closest_rule_decides(self, names: list[str], place, found: Assignment):
        assert assign_territory(names, [place], PLAN) == found

    @pytest.mark.parametrize(
        ("places", "rules", "said"),
        [
            pytest.param([address(country="JP")], PLAN, "no territory covers", id="nobody's country"),
            pytest.param(
                [address()], (*PLAN, TerritoryRule(ONE, "US", postal_prefix="7700")), "2 territories", id="two claims"
            ),
            pytest.param(
                [address(), address(region="NY", postal_code="10001")], PLAN, "several territories", id="two places"
            ),
        ],
    )
    def test_without_exactly_one_a_person_assigns(self, places, rules, said: str):
        found = assign_territory(["Other"], places, rules)
        assert isinstance(found, TerritoryUnassigned)
        assert said in found.message

    def test_places_of_one_territory_are_no_doubt(self):
        assert assign_territory(["Other"], [address(), address(line1="2 Quay Road")], PLAN) == FOUR

    @given(st.permutations(PLAN))
    def test_the_order_of_the_rules_does_not_matter(self, rules):
        assert assign_territory(["Other"], [address()], rules) == FOUR

    def test_every_state_of_the_demos_plan_has_one_territory(self):
        rules = territory_rules(DEMO_TERRITORIES)
        for rule in rules:
            place = address(country=rule.country, region=rule.region, postal_code="1")
            assert assign_territory(["Other"], [place], rules) == rule.assignment

    def test_the_settings_of_a_territory_are_a_rule_for_each_of_what_they_name(self):
        entry = TerritorySettings(
            territory="ter_1",
            owner="usr_1",
            countries=("US", "CA"),
            regions=("TX",),
            postal_prefixes=("77",),
            accounts=("Quayside",),
        )
        found = territory_rules([entry])
        assert {rule.assignment for rule in found} == {Assignment("ter_1", "usr_1")}
        assert [(rule.country, rule.account_name, rule.postal_prefix, rule.region) for rule in found] == [
            (country, *named)
            for country in ("US", "CA")
            for named in (("Quayside", None, None), (None, "77", None), (None, None, "TX"))
        ]


class TestCredit:
    @pytest.mark.parametrize(
        ("asked", "rate", "automatic"),
        [
            pytest.param(None, None, True, id="none"),
            pytest.param("0", None, True, id="zero"),
            pytest.param("10000", "1", True, id="up to the policy"),
            pytest.param("10000.01", "1", False, id="a cent beyond"),
            pytest.param("10000", "1.1", False, id="beyond in the policy's currency"),
            pytest.param("1", None, False, id="nobody knows the rate"),
        ],
    )
    def test_credit_within_the_policy_is_given_by_itself(self, asked: str | None, rate: str | None, automatic: bool):
        requested = None if asked is None else Money(Decimal(asked), "EUR")
        verdict = judge_credit(requested, None if rate is None else Decimal(rate))
        assert verdict.is_automatic is automatic

    @pytest.mark.parametrize(
        ("amount", "persons"), [("100000", 1), ("100000.01", 2), (None, 2), ("0", 1)], ids=lambda value: f"{value}"
    )
    def test_large_limits_take_two_persons(self, amount: str | None, persons: int):
        assert persons_needed(None if amount is None else Decimal(amount)) == persons

    @given(st.decimals(0, 10**7, places=2), st.decimals(0, 10**7, places=2))
    def test_asking_for_less_never_takes_more(self, one: Decimal, other: Decimal):
        less, more = sorted((one, other))
        rate = Decimal(1)
        automatic = [judge_credit(Money(amount, NEW_CREDIT.currency), rate).is_automatic for amount in (less, more)]
        assert automatic[0] or not automatic[1]
        assert persons_needed(less) <= persons_needed(more)


def above(*ids: str, **changes) -> list:
    parents = [*ids[1:], None]
    made = [account(name, parent_id=parent) for name, parent in zip(ids, parents, strict=True)]
    return [replace(made[0], **changes), *made[1:]]


class TestHierarchy:
    @pytest.mark.parametrize(
        ("chain", "buys", "said"),
        [
            pytest.param(above("acc_p"), "USD", None, id="below an active account"),
            pytest.param(above(*"abcd"), "USD", None, id="as the lowest level"),
            pytest.param(above(*"abcde"), "USD", f"more than {MAX_DEPTH} levels", id="too deep"),
            pytest.param([], "USD", "does not exist", id="below nobody"),
            pytest.param(above("acc_p", status=AccountStatus.ON_HOLD), "USD", "is on_hold", id="not active"),
            pytest.param(above("acc_p", "acc_new"), "USD", "below itself", id="below itself"),
            pytest.param(above("acc_p", parent_id="acc_p"), "USD", "below itself", id="in a circle"),
            pytest.param(above("acc_p"), "EUR", "cannot roll up", id="in another currency"),
            pytest.param(above("acc_p"), None, "no customer of the ERP", id="below a prospect"),
        ],
    )
    def test_the_place_is_checked(self, chain, buys: str | None, said: str | None):
        parent_id = chain[0].id if chain else "acc_p"
        known = None if buys is None else replace(terms(), currency="USD")
        found = check_parent(parent_id, "acc_new", chain, known, buys or "USD")
        assert (found is None) if said is None else (found is not None and said in found.reason)

    @pytest.mark.parametrize(
        ("has_prices", "said"), [(True, None), (False, "no prices in EUR"), (None, "no price group")]
    )
    def test_a_price_group_must_have_prices_in_the_currency(self, has_prices: bool | None, said: str | None):
        found = check_price_group("PG-01", "EUR", has_prices=has_prices)
        assert (found is None) if said is None else (found is not None and said in found.reason)
