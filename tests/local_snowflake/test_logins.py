"""Logging in with the stock connector: by password and by key pair, and what is refused."""

from __future__ import annotations

import base64

import jwt
import pytest
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from include.local.snowflake import logins

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key):
    """The key as RSA_PUBLIC_KEY wants it: base64 without the lines BEGIN and END."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def private(key):
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def robot(warehouse, key):
    """A service user with a key pair and one role."""
    name = f"ROBOT_{warehouse.schema}"
    warehouse.rows(f"CREATE ROLE {name}_ROLE")
    warehouse.rows(f"CREATE USER {name} TYPE = SERVICE DEFAULT_ROLE = {name}_ROLE RSA_PUBLIC_KEY_2 = '{public(key)}'")
    warehouse.rows(f"GRANT ROLE {name}_ROLE TO USER {name}")
    return name


def refusal(warehouse, **options):
    """The error that a login must raise, as "number message"."""
    with pytest.raises(snowflake.connector.errors.DatabaseError) as raised:
        warehouse.connect(**options)
    return f"{raised.value.errno} {raised.value.msg}"


def test_a_key_pair_opens_a_session_with_the_default_role(warehouse, robot, key):
    connection = warehouse.connect(user=robot.lower(), password=None, private_key=private(key))
    found = connection.cursor().execute("SELECT CURRENT_USER(), CURRENT_ROLE()").fetchone()
    assert found == (robot, f"{robot}_ROLE")


def test_another_key_and_a_password_of_a_service_are_refused(warehouse, robot, key):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refusal(warehouse, user=robot, password=None, private_key=private(other)).startswith("390144 ")
    assert refusal(warehouse, user=robot, password="local").startswith("390100 ")
    warehouse.rows(f"ALTER USER {robot} UNSET RSA_PUBLIC_KEY_2")
    assert refusal(warehouse, user=robot, password=None, private_key=private(key)).startswith("390144 ")


@pytest.mark.parametrize(
    ("claims", "algorithm"),
    [({"exp": 1}, "RS256"), ({"iss": "LOCAL.OTHER.SHA256:x"}, "RS256"), ({"sub": "LOCAL.OTHER"}, "RS256"),
     ({"exp": 10**11}, "RS256"), ({}, "none")],
    ids=["expired", "another_issuer", "another_subject", "valid_for_years", "unsigned"],
)  # fmt: skip
@pytest.mark.unit
def test_a_token_is_checked_in_every_part(key, claims, algorithm):
    import hashlib
    import time

    from include.local.snowflake.catalog import CatalogObject
    from include.local.snowflake.users import User

    user = User(CatalogObject("USER", "", "", "U", "", {"RSA_PUBLIC_KEY": public(key)}, None))
    fingerprint = base64.b64encode(hashlib.sha256(base64.b64decode(public(key))).digest()).decode()
    now = int(time.time())
    right = {"iss": f"LOCAL.U.SHA256:{fingerprint}", "sub": "LOCAL.U", "iat": now, "exp": now + 60}
    assert logins._signed_by(user, jwt.encode(right, key, algorithm="RS256"))
    wrong = jwt.encode(right | claims, key if algorithm != "none" else None, algorithm=algorithm)
    assert not logins._signed_by(user, wrong)


def test_a_wrong_password_a_foreign_role_and_a_disabled_user_are_refused(warehouse):
    name = f"BOB_{warehouse.schema}"
    warehouse.rows(f"CREATE USER {name} LOGIN_NAME = '{name}@x.org' PASSWORD = 'right' DEFAULT_ROLE = SYSADMIN")
    for user, password in ((f"{name}@x.org", "wrong"), (name, "right"), ("nobody", "local"), (f"{name}@x.org", "")):
        assert refusal(warehouse, user=user, password=password or " ").startswith("390100 ")
    login = {"user": f"{name}@x.org", "password": "right"}
    cursor = warehouse.connect(**login).cursor()
    assert cursor.execute("SELECT CURRENT_USER(), CURRENT_ROLE()").fetchone() == (name, "PUBLIC")
    assert refusal(warehouse, **login, role="SYSADMIN").startswith("390189 ")
    warehouse.rows(f"ALTER USER {name} SET PASSWORD = 'new'")
    assert refusal(warehouse, **login).startswith("390100 ")
    warehouse.rows(f"ALTER USER {name} SET DISABLED = TRUE")
    assert refusal(warehouse, **login | {"password": "new"}).startswith("390101 ")


def test_a_session_has_the_users_defaults(warehouse):
    name = f"DEF_{warehouse.schema}"
    warehouse.rows(f"CREATE USER {name} PASSWORD = 'x' DEFAULT_WAREHOUSE = COMPUTE_WH"
                   f" DEFAULT_NAMESPACE = TESTS.{warehouse.schema} DEFAULT_SECONDARY_ROLES = ()")  # fmt: skip
    connection = warehouse.server.connect(user=name, password="x")
    found = connection.cursor().execute("SELECT CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SECONDARY_ROLES()")
    assert found.fetchone() == ("COMPUTE_WH", "TESTS", '{"roles": "", "value": ""}')
    connection.close()


def test_another_way_to_log_in_is_refused(warehouse):
    assert refusal(warehouse, authenticator="oauth", token="x").startswith("390190 ")
    for _ in range(6):
        assert refusal(warehouse, password="wrong").startswith("390100 ")
    assert warehouse.connect().cursor().execute("SELECT 1").fetchone() == (1,)
