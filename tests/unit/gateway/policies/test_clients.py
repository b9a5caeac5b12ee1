from __future__ import annotations

from ipaddress import ip_network

import pytest

from gateway.policies.clients import ClientReader

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def read(reader: ClientReader, peer: str | None, **headers: str):
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return reader({"headers": raw, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        pytest.param("1.2.3.4", "9.9.9.9", "1.2.3.4", id="a stranger's word is not taken"),
        pytest.param("10.0.0.1", "9.9.9.9", "9.9.9.9", id="a trusted proxy's word is taken"),
        pytest.param("10.0.0.1", "6.6.6.6, 9.9.9.9", "9.9.9.9", id="what the client wrote before it is not"),
        pytest.param("10.0.0.1", "9.9.9.9, 10.0.0.2", "9.9.9.9", id="several trusted proxies"),
        pytest.param("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="a client inside"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="no list"),
        pytest.param("10.0.0.1", "9.9.9.9, nonsense", "10.0.0.1", id="nonsense ends the list"),
        pytest.param("10.0.0.1", "9.9.9.9:4711", "9.9.9.9", id="with a port"),
        pytest.param("::1", "[2001:db8::1]:4711", "2001:db8::1", id="IPv6 with a port"),
        pytest.param("::ffff:10.0.0.1", "9.9.9.9", "9.9.9.9", id="a proxy's IPv4 address written as IPv6"),
        pytest.param(None, "9.9.9.9", None, id="no connection"),
    ],
)
def test_the_address_is_the_last_that_no_trusted_proxy_has(peer, forwarded, address):
    assert read(ClientReader(TRUSTED), peer, x_forwarded_for=forwarded).address == address


def test_without_trusted_proxies_the_list_is_not_looked_at():
    assert read(ClientReader(), "10.0.0.1", x_forwarded_for="9.9.9.9").address == "10.0.0.1"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({}, None),
        ({"app_name": "web"}, "web"),
        ({"other": "x", "app_name": "y"}, "y"),
        ({"app_name": "n" * 200}, "n" * 100),
    ],
)
def test_a_client_is_called_what_it_says(headers, name):
    assert read(ClientReader(name_headers=("App-Name", "Other")), "1.2.3.4", **headers).name == name
