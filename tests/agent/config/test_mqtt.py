"""The broker in the configuration: what does not fit together is told before anything connects."""

from __future__ import annotations

import pytest

from agent.config import Layer, dump, parse
from agent.config.mqtt import is_loopback
from agent.errors import ConfigError


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(Layer("config.yaml", text))
    return caught.value.problems


def test_all_problems_at_once_each_with_its_path_and_its_mend():
    text = """
mqtt:
  host: broker.example
  password_file: /run/secrets/password
  tls:
    ca_file: ca.pem
    key_file: camera.key
    alpn: "a b"
    warn_days: 0
    hostnam: x
"""
    assert problems(text) == (
        "mqtt.tls.ca_file: does nothing without TLS: set mqtt.tls.enabled: true (given: 'ca.pem')",
        (
            "mqtt.tls.key_file: does nothing without TLS: set mqtt.tls.enabled: true "
            "(given: 'camera.key')"
        ),
        "mqtt.tls.alpn: string should match pattern '^[!-~]{0,255}$' (given: 'a b')",
        "mqtt.tls.warn_days: input should be greater than or equal to 1 (given: 0)",
        "mqtt.tls.hostnam: no such key; did you mean hostname?",
        "mqtt.password_file: whose password? set mqtt.username (given: '/run/secrets/password')",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "mqtt: {host: broker.example, username: cam}",
            (
                "mqtt.username: a password would go in clear: set mqtt.tls.enabled: true "
                "(given: 'cam')"
            ),
        ),
        (
            "mqtt: {tls: {enabled: true, key_file: k}}",
            "mqtt.tls.key_file: a key needs its certificate: set mqtt.tls.cert_file (given: 'k')",
        ),
        (
            "mqtt: {tls: {enabled: true, key_passphrase_file: k}}",
            "mqtt.tls.key_passphrase_file: opens nothing: set mqtt.tls.cert_file (given: 'k')",
        ),
        (
            "mqtt: {tls: {min_version: '1.1'}}",
            "mqtt.tls.min_version: input should be '1.2' or '1.3' (given: '1.1')",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(text, problem):
    assert problems(text) == (problem,)


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {host: localhost, username: cam, password_file: f}",
        "mqtt: {host: 127.0.0.1, username: cam}",
        "mqtt: {host: broker.example, username: cam, password_file: f, tls: {enabled: true}}",
        "mqtt: {tls: {enabled: true, cert_file: c, key_file: k, key_passphrase_file: p}}",
        "mqtt: {port: 443, tls: {enabled: true, alpn: x-amzn-mqtt-ca}}",
    ],
)
def test_what_fits_is_taken_and_printed_so_that_it_can_be_taken_again(text):
    config = parse(Layer("config.yaml", text))
    assert parse(Layer("printed", dump(config))) == config


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host, loopback):
    assert is_loopback(host) is loopback
