"""The local certificate authority."""

from __future__ import annotations

import ssl
import stat
from datetime import timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509

from include.local.snowflake import tls

pytestmark = pytest.mark.unit


def contents(files):
    return [path.read_bytes() for path in (files.ca, files.certificate, files.key, files.bundle)]


def test_a_server_and_a_client_agree(tmp_path):
    files = tls.ensure(tmp_path / "new")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.bundle))
    client_in, server_in = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(client_in, server_in, server_hostname="localhost"),
        server.wrap_bio(server_in, client_in, server_side=True),
    ]
    done = set()
    for _ in range(10):
        for index, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(index)
            except ssl.SSLWantReadError:
                continue
    assert done == {0, 1}


def test_the_bundle_is_certifis_and_ours(tmp_path):
    files = tls.ensure(tmp_path)
    assert files.bundle.read_bytes() == Path(certifi.where()).read_bytes() + b"\n" + files.ca.read_bytes()


def test_the_key_is_the_owners_alone(tmp_path):
    assert stat.S_IMODE(tls.ensure(tmp_path).key.stat().st_mode) == 0o600


def test_valid_files_are_kept(tmp_path):
    assert contents(tls.ensure(tmp_path)) == contents(tls.ensure(tmp_path))


@pytest.mark.parametrize("spoil", ["ca", "certificate", "key", "bundle"])
def test_a_missing_or_damaged_file_renews_all(tmp_path, spoil):
    before = contents(files := tls.ensure(tmp_path))
    getattr(files, spoil).write_bytes(b"damaged")
    after = contents(tls.ensure(tmp_path))
    assert all(old != new for old, new in zip(before, after, strict=True))
    getattr(files, spoil).unlink()
    assert contents(tls.ensure(tmp_path)) != after


def test_a_certificate_about_to_expire_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(tls, "VALID", tls.RENEW_BEFORE - timedelta(days=1))
    before = contents(tls.ensure(tmp_path))
    monkeypatch.undo()
    assert contents(tls.ensure(tmp_path)) != before


def test_other_host_names_need_another_certificate(tmp_path):
    tls.ensure(tmp_path)
    files = tls.ensure(tmp_path, hostnames=("localhost", "snowflake"))
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "snowflake"]
