"""Which addresses a webhook may have, and which machines it may reach (S62)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from rest.webhooks.addresses import LOOPBACK, BadAddress, Policy, Target, target

STRICT = Policy()
DEVELOPMENT = Policy(http=True, allowed=LOOPBACK)


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://hooks.example.org/a/b?c=d&e", "hooks.example.org", 443, "/a/b?c=d&e", "hooks.example.org"),
        ("https://hooks.example.org", "hooks.example.org", 443, "/", "hooks.example.org"),
        ("https://hooks.example.org?c=d", "hooks.example.org", 443, "/?c=d", "hooks.example.org"),
        ("HTTPS://Hooks.Example.ORG:8443/", "hooks.example.org", 8443, "/", "hooks.example.org:8443"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2606:4700::1]:9000/", "2606:4700::1", 9000, "/", "[2606:4700::1]:9000"),
        ("https://0x7f.example/", "0x7f.example", 443, "/", "0x7f.example"),
    ],
)
def test_an_address_is_read_in_its_parts(url: str, host: str, port: int, path: str, authority: str) -> None:
    found = target(url, STRICT)
    assert found == Target("https", host, port, path)
    assert found.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "//hooks.example.org/",
        "https:/hooks.example.org/",
        "https:///path",
        "https://",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "gopher://hooks.example.org/",
        "javascript:alert(1)",
        " https://hooks.example.org/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/a\r\nHost: other",
        "https://hooks.example.org/\x00",
        "https://hooks.example.org/é",
        "https://hooks.example.org/#fragment",
        "https://hooks.example.org\\@evil.example/",
        "https://hooks.example.org/\\evil",
    ],
)
def test_S62_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        target(url, DEVELOPMENT)


@pytest.mark.parametrize(
    "authority",
    [
        # who is named before an @ is not where it leads
        "user@hooks.example.org",
        "user:secret@hooks.example.org",
        "hooks.example.org@127.0.0.1",
        "@hooks.example.org",
        # a host by another spelling
        "hooks.example.org.",
        "127.0.0.1.",
        "hooks..example.org",
        ".example.org",
        "-hooks.example.org",
        "hooks-.example.org",
        "hooks_.example.org",
        "hooks%2eexample.org",
        "%31%32%37.0.0.1",
        "ⓛocalhost",
        "127。0。0。1",
        "hooks.example.org,evil.example",
        "a" * 64 + ".example.org",
        ".".join(["a" * 60] * 5),
        # numbers that resolvers take for addresses
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.0x1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.01",
        "127.0.0.256",
        "1.2.3.4.5",
        "0",
        "0x",
        # brackets
        "[::1",
        "::1",
        "[]",
        "[127.0.0.1]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[v1.x]",
        # ports
        "hooks.example.org:",
        "hooks.example.org:0",
        "hooks.example.org:22",
        "hooks.example.org:25",
        "hooks.example.org:1023",
        "hooks.example.org:65536",
        "hooks.example.org:99999",
        "hooks.example.org:-1",
        "hooks.example.org:+443",
        "hooks.example.org:443:443",
        "hooks.example.org:https",
        "hooks.example.org:٤٤٣",
    ],
)
def test_S62_an_odd_spelling_of_a_host_is_refused(authority: str) -> None:
    with pytest.raises(BadAddress):
        target(f"https://{authority}/", DEVELOPMENT)


SPECIAL = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", SPECIAL)
def test_S62_no_address_that_is_not_public_may_be_called(address: str) -> None:
    assert not STRICT.permits(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BadAddress):
        target(f"https://{host}/", STRICT)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::1"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert STRICT.permits(address)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "a.localhost"])
def test_S62_names_of_this_machine_are_its_address(name: str) -> None:
    with pytest.raises(BadAddress):
        target(f"https://{name}/", STRICT)
    assert target(f"https://{name}/", DEVELOPMENT).host == name.lower()


def test_http_is_for_those_who_allow_it() -> None:
    with pytest.raises(BadAddress, match="https"):
        target("http://hooks.example.org/", STRICT)
    assert target("http://hooks.example.org/", DEVELOPMENT) == Target("http", "hooks.example.org", 80, "/")
    assert target("http://hooks.example.org:443/", DEVELOPMENT).authority == "hooks.example.org:443"


def test_S62_networks_of_one_s_own_are_allowed_and_nothing_beside_them() -> None:
    policy = Policy(allowed=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    permitted = [policy.permits(text) for text in ("10.1.2.3", "fd00::5", "10.2.0.1", "::ffff:10.1.2.3", "127.0.0.1")]
    assert permitted == [True, True, False, False, False]
    assert target("https://10.1.2.3/", policy).host == "10.1.2.3"
