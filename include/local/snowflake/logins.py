"""Logging in: by password, or by a token that the user's private key signed."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import duckdb
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from . import errors, login_checks, users
from .catalog import Catalog
from .grants import Grants
from .users import User

ACCOUNT_NAME = "LOCAL"
# A token is valid for at most an hour, and clocks may differ by a minute.
_LONGEST_SECONDS = 3600
_LEEWAY_SECONDS = 60


def authenticate(
    catalog: Catalog, duck: duckdb.DuckDBPyConnection, sent: Mapping[str, Any], address: str = "127.0.0.1"
) -> User:
    """The user who logs in with the ``data`` of a login request, which came from ``address``.

    Raises:
        SnowflakeError: 390100, 390101, 390144, 390190, 390202 or 390422, as an account refuses it.
    """
    name = str(sent.get("LOGIN_NAME") or "").upper()
    user = next((each for each in users.all_users(catalog, duck) if each.login_name == name), None)
    authenticator = str(sent.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
    if authenticator == "SNOWFLAKE_JWT":
        if user is None or not _signed_by(user, str(sent.get("TOKEN") or "")):
            raise _refused(390144, f"JWT token is invalid. [{uuid.uuid4()}]")
    elif authenticator == "SNOWFLAKE":
        if user is None or not user.has_the_password(str(sent.get("PASSWORD") or "")):
            raise _refused(390100, "Incorrect username or password was specified.")
    else:
        raise _refused(390190, f"The authenticator {authenticator} is not supported by the local Snowflake.")
    if user.is_disabled:
        raise _refused(390101, "User access disabled. Contact your local system administrator.")
    method = "KEYPAIR" if authenticator == "SNOWFLAKE_JWT" else "PASSWORD"
    login_checks.check_login(catalog, duck, user, method, address)
    return user


def role_of(grants: Grants, user: User, asked: str | None) -> str:
    """The primary role of a new session.

    Raises:
        SnowflakeError: 390189, the role that the login names is not granted to the user.
    """
    role = asked or user.default_role
    if role not in grants.roles_of_user(user.name):
        if asked is None:
            return "PUBLIC"
        raise _refused(
            390189,
            f"Role '{role}' specified in the connect string does not exist or not authorized. Contact your local system"
            " administrator, or attempt to login with another role, e.g. PUBLIC.",
        )
    return role


def _signed_by(user: User, token: str) -> bool:
    for der in user.public_keys:
        public_key = load_der_public_key(der)
        if not isinstance(public_key, RSAPublicKey):
            continue
        fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
        subject = f"{ACCOUNT_NAME}.{user.login_name}"
        try:
            claims = jwt.decode(
                token, public_key, algorithms=["RS256"], issuer=f"{subject}.{fingerprint}", leeway=_LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "iat", "exp"]},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            continue
        if claims["sub"] == subject and claims["exp"] - claims["iat"] <= _LONGEST_SECONDS + _LEEWAY_SECONDS:
            return True
    return False


def _refused(errno: int, message: str) -> errors.SnowflakeError:
    return errors.SnowflakeError(message, errno, "08001")
