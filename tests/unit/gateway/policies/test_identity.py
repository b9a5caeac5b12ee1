"""Who a request comes from: public keys that rotate and fail, cookies, API keys, and the order of all."""

from __future__ import annotations

import asyncio
import hashlib
import time

import jwt
import pytest

from gateway.config import ApiKeySettings, KeySetSettings, TokenIdentity, settings_from
from gateway.errors import ConfigError, RequestError
from gateway.policies.api_keys import ApiKeys
from gateway.policies.credentials import Credentials
from gateway.policies.key_sets import MAX_READS, PAUSE_S, KeySet
from gateway.server.principal import ANONYMOUS, Principal, identify
from gateway.server.tokens import REMEMBER_S, TokenReader
from gateway.transport.download import DownloadFailed
from tests.support.signing import Signer, key_set

ONE, TWO, EDWARDS = Signer("one"), Signer("two"), Signer("edwards", "EdDSA")
SECRET = "a secret of more than thirty-two characters"


class Issuer:
    """Publishes keys, counts how often they are read, and can be down. Time is what the test says."""

    def __init__(self, *signers: Signer, **settings) -> None:
        self.body = key_set(*signers)
        self.reads = 0
        self.now = 1000.0
        self.is_down = False
        given = {"url": "https://issuer.example/keys", "refresh": "10m", "keep_for": "1h", **settings}
        self.keys = KeySet(KeySetSettings(**given), self.fetch, lambda: self.now)

    async def fetch(self) -> bytes:
        self.reads += 1
        if self.is_down:
            raise DownloadFailed("down")
        return self.body

    def reader(self, **settings) -> TokenReader:
        settings = {"key_sets": (self.keys.settings,), **settings}
        return TokenReader(TokenIdentity(**settings), (self.keys,), lambda: time.time() + self.now - 1000.0)


async def outcome(identity, token: str | None = None, **headers: str) -> str:
    """Return the subject, else the code of the refusal."""
    given = headers | ({"authorization": f"Bearer {token}"} if token else {})
    try:
        return (await identify(identity, given)).subject or "anonymous"
    except RequestError as error:
        return str(error.code)


@pytest.mark.parametrize("signer", [ONE, EDWARDS], ids=["elliptic curve", "Edwards curve"])
async def test_a_token_that_a_published_key_signed_is_accepted(signer):
    assert await outcome(Issuer(TWO, signer).reader(), signer.token()) == "user:ann"


REFUSED = [
    pytest.param({}, TWO.token, id="an unknown key"),
    pytest.param({}, lambda: TWO.token("one"), id="another key under the same name"),
    pytest.param({}, lambda: ONE.token(exp=1), id="expired"),
    pytest.param({"issuer": "us"}, lambda: ONE.token(iss="them"), id="another issuer"),
    pytest.param({"audience": "me"}, lambda: ONE.token(aud="you"), id="another audience"),
    pytest.param({"algorithms": ["RS256"]}, ONE.token, id="an algorithm that is not allowed"),
    pytest.param(
        {}, lambda: jwt.encode({"sub": "x", "exp": 2e9}, ONE.jwk["x"] * 2, "HS256"), id="a public key as secret"
    ),
    pytest.param({}, lambda: jwt.encode({"sub": "x"}, None, "none"), id="not signed"),
]


@pytest.mark.parametrize(("settings", "make"), REFUSED)
async def test_any_other_token_is_refused(settings, make):
    assert await outcome(Issuer(ONE, **settings).reader(), make()) == "UNAUTHENTICATED"


async def test_issuer_and_audience_that_are_right_are_accepted():
    reader = Issuer(ONE, issuer="us", audience="me").reader()
    assert await outcome(reader, ONE.token(iss="us", aud=["me", "you"])) == "user:ann"


async def test_clocks_may_differ_by_the_leeway():
    reader = Issuer(ONE).reader(leeway="30s")
    assert await outcome(reader, ONE.token(exp=time.time() - 20)) == "user:ann"
    assert await outcome(reader, ONE.token(exp=time.time() - 40)) == "UNAUTHENTICATED"


async def test_several_issuers_are_told_apart_by_their_keys():
    first, second = Issuer(ONE, issuer="first"), Issuer(TWO, issuer="second")
    settings = TokenIdentity(key_sets=(first.keys.settings, second.keys.settings), secret=SECRET)
    reader = TokenReader(settings, (first.keys, second.keys))
    assert await outcome(reader, ONE.token(iss="first")) == "user:ann"
    assert await outcome(reader, TWO.token(iss="second")) == "user:ann"
    assert await outcome(reader, TWO.token(iss="first")) == "UNAUTHENTICATED"
    shared = jwt.encode({"sub": "service", "exp": time.time() + 60}, SECRET, "HS256")
    assert await outcome(reader, shared) == "service"


async def test_keys_are_read_once_for_many_tokens_at_the_same_time():
    issuer = Issuer(ONE)
    reader = issuer.reader()
    found = await asyncio.gather(*(outcome(reader, ONE.token(n=n)) for n in range(5)))
    assert found == ["user:ann"] * 5
    assert issuer.reads == 1


async def test_a_new_key_is_found_at_once_but_invented_names_do_not_make_more_reads():
    issuer = Issuer(ONE)
    reader = issuer.reader()
    assert await outcome(reader, ONE.token()) == "user:ann"
    issuer.body = key_set(ONE, TWO)
    assert await outcome(reader, TWO.token()) == "user:ann"
    for number in range(20):
        await outcome(reader, ONE.token(f"invented {number}"))
    assert issuer.reads == MAX_READS
    issuer.body = key_set(EDWARDS)
    assert await outcome(reader, EDWARDS.token()) == "UNAUTHENTICATED", "the keys were read too often a moment ago"
    issuer.now += PAUSE_S
    assert await outcome(reader, EDWARDS.token()) == "user:ann"


async def test_keys_that_are_to_be_read_more_often_than_the_pause_are():
    issuer = Issuer(ONE, refresh="1s", keep_for="2s")
    for read in range(1, 2 * MAX_READS):
        assert await issuer.keys.find("one")
        await issuer.keys.settle()
        assert issuer.reads == read
        issuer.now += 1


async def test_old_keys_are_read_again_in_the_background():
    issuer = Issuer(ONE)
    assert await issuer.keys.find("one")
    issuer.now += 601
    assert await issuer.keys.find("one")
    await issuer.keys.settle()
    assert issuer.reads == 2


async def test_a_key_that_was_withdrawn_ends():
    issuer = Issuer(ONE, TWO)
    reader = issuer.reader()
    token = ONE.token()
    assert await outcome(reader, token) == "user:ann"
    issuer.body = key_set(TWO)
    issuer.now += 601
    await outcome(reader, TWO.token())
    await issuer.keys.settle()
    assert REMEMBER_S < 601
    assert await outcome(reader, token) == "UNAUTHENTICATED"


async def test_while_the_issuer_is_down_its_keys_serve_on_and_end_some_day(caplog):
    issuer = Issuer(ONE)
    reader = issuer.reader()
    assert await outcome(reader, ONE.token()) == "user:ann"
    issuer.is_down = True
    issuer.now += 3000
    assert await outcome(reader, ONE.token(n=1)) == "user:ann"
    await issuer.keys.settle()
    assert "down" in caplog.text
    issuer.now += 601
    assert await outcome(reader, ONE.token(n=2)) == "IDENTITY_UNAVAILABLE"
    issuer.is_down = False
    issuer.now += PAUSE_S
    assert await outcome(reader, ONE.token(n=3)) == "user:ann"


@pytest.mark.parametrize("body", [b"[", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}'])
async def test_what_is_no_set_of_public_keys_is_not_taken(body, caplog):
    issuer = Issuer(ONE)
    issuer.body = body
    assert await outcome(issuer.reader(), ONE.token()) == "IDENTITY_UNAVAILABLE"
    assert "https://issuer.example/keys cannot be read" in caplog.text


async def test_keys_may_be_in_a_file(tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(ONE))
    reader = TokenReader(TokenIdentity(key_sets=(KeySetSettings(file=path),)))
    assert await outcome(reader, ONE.token()) == "user:ann"
    await reader.aclose()


async def test_a_token_may_be_in_a_cookie_and_the_header_goes_first():
    reader = TokenReader(TokenIdentity(secret=SECRET, cookie="session"))
    made = jwt.encode({"sub": "cookie", "exp": time.time() + 60}, SECRET, "HS256")
    head = jwt.encode({"sub": "header", "exp": time.time() + 60}, SECRET, "HS256")
    assert await outcome(reader, cookie=f"a=b; session={made}") == "cookie"
    assert await outcome(reader, head, cookie=f"session={made}") == "header"
    assert await outcome(reader, cookie="other=x") == "anonymous"
    assert await outcome(reader, cookie="session=" + "x" * 9000) == "UNAUTHENTICATED"
    assert await outcome(TokenReader(TokenIdentity(secret=SECRET)), cookie=f"session={made}") == "anonymous"


async def test_a_proved_token_is_remembered_until_it_expires():
    now = [1000.0]
    reader = TokenReader(TokenIdentity(secret=SECRET, leeway="5s"), clock=lambda: now[0])
    token = jwt.encode({"sub": "a", "exp": time.time() + 60}, SECRET, "HS256")
    first = await identify(reader, {"authorization": f"Bearer {token}"})
    assert await identify(reader, {"authorization": f"Bearer {token}"}) is first
    now[0] += REMEMBER_S
    again = await identify(reader, {"authorization": f"Bearer {token}"})
    assert (again, again is first) == (first, False)


async def test_scopes_and_policies_are_where_the_settings_say():
    reader = TokenReader(TokenIdentity(secret=SECRET, scope_claim="scp", policy_claim="rules"))
    token = jwt.encode({"sub": "a", "exp": time.time() + 60, "scp": ["x"], "rules": "y z"}, SECRET, "HS256")
    found = await identify(reader, {"authorization": f"Bearer {token}"})
    assert found == Principal("a", frozenset("x"), frozenset("yz"))


KEYS = ApiKeys(
    (
        ApiKeySettings(sha256=hashlib.sha256(b"first key").hexdigest(), subject="partner:1", scopes=("orders:read",)),
        ApiKeySettings(sha256=hashlib.sha256(b"second key").hexdigest(), subject="partner:2", claims={"tenant": "b"}),
    ),
    "x-api-key",
)


async def test_an_integration_is_known_by_its_key():
    assert KEYS({"x-api-key": "first key"}) == Principal("partner:1", frozenset({"orders:read"}))
    assert KEYS({"x-api-key": "second key"}) == Principal("partner:2", claims=(("tenant", "b"),))
    assert KEYS({}) is ANONYMOUS
    assert await outcome(KEYS, **{"x-api-key": "third key"}) == "UNAUTHENTICATED"


async def test_the_first_credentials_that_a_request_shows_count():
    both = Credentials((TokenReader(TokenIdentity(secret=SECRET)), KEYS), allows_anonymous=False)
    token = jwt.encode({"sub": "ann", "exp": time.time() + 60}, SECRET, "HS256")
    assert await outcome(both, token, **{"x-api-key": "first key"}) == "ann"
    assert await outcome(both, **{"x-api-key": "first key"}) == "partner:1"
    assert await outcome(both) == "UNAUTHENTICATED"
    assert await outcome(Credentials((KEYS,), allows_anonymous=True)) == "anonymous"


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ({"tokens": {}}, "give a secret, key_sets or both"),
        ({"tokens": {"key_sets": [{}]}}, "give either url or file"),
        ({"tokens": {"key_sets": [{"url": "https://a/", "file": "b"}]}}, "give either url or file"),
        (
            {"tokens": {"key_sets": [{"url": "http://issuer.example/keys"}]}},
            "url must be https, or http on this machine",
        ),
        ({"tokens": {"key_sets": [{"url": "https://a/", "algorithms": ["HS256"]}]}}, "algorithms"),
        (
            {"tokens": {"key_sets": [{"url": "https://a/", "refresh": "2h", "keep_for": "1h"}]}},
            "refresh must not be longer",
        ),
        ({"api_keys": [{"sha256": "plain text", "subject": "a"}]}, "sha256"),
        (
            {"api_keys": [{"sha256": "0" * 64, "subject": "a"}], "development_identity": {"subject": "me"}},
            "development_identity and api_keys exclude each other",
        ),
    ],
)
def test_settings_that_would_not_protect_are_refused(identity, message):
    with pytest.raises(ConfigError) as caught:
        settings_from({"identity": identity})
    assert message in caught.value.message


def test_secrets_are_not_shown():
    settings = settings_from(
        {"identity": {"tokens": {"secret": SECRET}, "api_keys": [{"sha256": "0" * 64, "subject": "a"}]}}
    )
    assert SECRET not in repr(settings)
    assert "0" * 64 not in repr(settings)
