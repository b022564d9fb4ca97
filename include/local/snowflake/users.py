"""Users: their properties, and how a password or a key is checked against them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import duckdb
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from . import errors, parameter_values
from .catalog import ACCOUNT, Catalog, CatalogObject
from .names import Key
from .privileges import PUBLIC

# Types of users, and whether each may have a password.
_TYPES = {"PERSON": True, "LEGACY_SERVICE": True, "SERVICE": False}
_TEXTS = ("LOGIN_NAME", "DISPLAY_NAME", "FIRST_NAME", "LAST_NAME", "EMAIL", "COMMENT", "DEFAULT_NAMESPACE")
_NAMES = ("DEFAULT_ROLE", "DEFAULT_WAREHOUSE", "NETWORK_POLICY")
_FLAGS = ("DISABLED", "MUST_CHANGE_PASSWORD")
_TIMEOUTS = (parameter_values.STATEMENT_TIMEOUT, "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS")
_KEYS = ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2")
_PASSWORD_HASH = "PASSWORD_HASH"  # noqa: S105 - the name of a property
# Enough to slow down somebody who reads the state directory, and little enough for tests that log in often.
_ROUNDS = 20_000
# A password that was right is checked by one hash the next time; the key is this process's own.
_process_key = secrets.token_bytes(32)
_right: dict[str, bytes] = {}


@dataclass(frozen=True)
class User:
    """A user, as kept in the catalog."""

    found: CatalogObject

    @property
    def name(self) -> str:
        return self.found.name

    @property
    def type(self) -> str:
        return str(self.found.definition.get("TYPE", "PERSON"))

    @property
    def is_disabled(self) -> bool:
        return bool(self.found.definition.get("DISABLED"))

    @property
    def login_name(self) -> str:
        return str(self.found.definition.get("LOGIN_NAME", self.name)).upper()

    @property
    def has_password(self) -> bool:
        return _PASSWORD_HASH in self.found.definition

    @property
    def default_role(self) -> str:
        return str(self.found.definition.get("DEFAULT_ROLE", PUBLIC))

    @property
    def default_warehouse(self) -> str | None:
        return self.found.definition.get("DEFAULT_WAREHOUSE")

    @property
    def default_namespace(self) -> list[str]:
        namespace = self.found.definition.get("DEFAULT_NAMESPACE")
        return str(namespace).upper().split(".") if namespace else []

    @property
    def secondary_roles(self) -> str:
        """The secondary roles of its sessions: ALL, unless they are turned off."""
        return "ALL" if self.found.definition.get("DEFAULT_SECONDARY_ROLES", ["ALL"]) else "NONE"

    @property
    def public_keys(self) -> list[bytes]:
        """Its one or two RSA keys, DER-encoded."""
        return [_decoded(text) for name in _KEYS if (text := self.found.definition.get(name))]

    def text(self, name: str) -> str:
        """A property as DESC USER and SHOW USERS write it."""
        value = self.found.definition.get(name, "")
        return str(value).lower() if isinstance(value, bool) else str(value)

    def has_the_password(self, password: str) -> bool:
        kept = self.found.definition.get(_PASSWORD_HASH)
        if not kept or self.type == "SERVICE":
            return False
        quick = hmac.digest(_process_key, password.encode(), "sha256")
        if hmac.compare_digest(_right.get(kept, b""), quick):
            return True
        if not hmac.compare_digest(_hash(password, kept.partition("$")[0]), kept):
            return False
        _right[kept] = quick
        return True


def named(catalog: Catalog, duck: duckdb.DuckDBPyConnection, name: str) -> User:
    """The user ``name``.

    Raises:
        SnowflakeError: 002003, there is none.
    """
    return User(catalog.get(duck, "USER", key(name)))


def all_users(catalog: Catalog, duck: duckdb.DuckDBPyConnection) -> list[User]:
    return [User(found) for found in catalog.objects(duck, "USER", ACCOUNT[0])]


def key(name: str) -> Key:
    """The user's key in the catalog."""
    return (*ACCOUNT, name)


def definition(options: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The properties of a user that had ``before``, after CREATE or ALTER USER ... SET | UNSET of ``options``.

    Raises:
        SnowflakeError: a property or value that is wrong or can't be honoured.
    """
    after = dict(before)
    for name, value in options.items():
        kept = _PASSWORD_HASH if name == "PASSWORD" else name
        if value is None or value == "":
            after.pop(kept, None)
        else:
            after[kept] = _checked(name, value)
    user_type = after.get("TYPE", "PERSON")
    if _PASSWORD_HASH in after and not _TYPES[user_type]:
        raise errors.compilation_error(f"Cannot set PASSWORD on a user of type {user_type}.", 1008, "22023")
    return after


def _checked(name: str, value: Any) -> Any:
    if name == "PASSWORD":
        return _hash(str(value), secrets.token_hex(16))
    if name == "TYPE":
        if str(value).upper() not in _TYPES:
            raise errors.compilation_error(f"invalid value [{value}] for parameter 'TYPE'", 1008, "22023")
        return str(value).upper()
    if name in _KEYS:
        _decoded(str(value))
        return str(value)
    if name in _NAMES:
        return str(value).upper()
    if name == "DEFAULT_SECONDARY_ROLES":
        if not isinstance(value, list) or [str(each).upper() for each in value] not in ([], ["ALL"]):
            raise errors.compilation_error("DEFAULT_SECONDARY_ROLES must be ('ALL') or ().", 1008, "22023")
        return [str(each).upper() for each in value]
    if name in _FLAGS:
        return bool(value)
    if name in _TIMEOUTS:
        return parameter_values.timeout_seconds(value)
    if name in _TEXTS:
        return str(value)
    raise errors.unsupported(f"the property {name} of a user")


def _decoded(text: str) -> bytes:
    """A public key, given as Snowflake wants it: base64 without the lines BEGIN and END."""
    try:
        der = base64.b64decode("".join(text.split()), validate=True)
        load_der_public_key(der)
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise errors.compilation_error(
            "New public key rejected by current policy. Reason: 'Invalid public key'.", 394304, "22023"
        ) from error
    return der


def _hash(password: str, salt: str) -> str:
    return f"{salt}${hashlib.pbkdf2_hmac('sha256', password.encode(), salt.encode(), _ROUNDS).hex()}"
