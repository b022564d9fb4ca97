"""Who may do what: privileges on objects granted to roles, and roles granted to roles and users.

All grants are in memory, and written to the account's database before they count.  They are beside every transaction:
GRANT, REVOKE and DDL commit by themselves.

An object is created in its own database and its owner is written here, in two commits.  If the server is killed in
between, the object has no owner written down: then the owner of its schema or database owns it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb

from .catalog import hidden
from .fakesnow_adapter import GLOBAL_DATABASE
from .privileges import ACCOUNTADMIN, OWNERSHIP, PUBLIC, SYSADMIN, USAGE, Securable

_TABLE = hidden(GLOBAL_DATABASE, "grants")
_FUTURE = "FUTURE "


@dataclass(frozen=True)
class Grant:
    """One privilege on one object for one grantee.  A role that is granted is its USAGE, as SHOW GRANTS has it.

    ``on`` of a future grant has a kind such as FUTURE TABLE, and the key of the schema or database.
    """

    privilege: str
    on: Securable
    to_kind: str  # ROLE or USER
    to: str
    granted_by: str
    with_option: bool = False
    created_on: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def identity(self) -> tuple[str, Securable, str, str]:
        return self.privilege, self.on, self.to_kind, self.to

    @property
    def is_future(self) -> bool:
        return self.on.kind.startswith(_FUTURE)


def future(kind: str, container: Securable) -> Securable:
    """Where a future grant on objects of ``kind`` in ``container`` is kept."""
    return Securable(_FUTURE + kind, container.key)


class Grants:
    """The grants of one account; ``version`` changes with every change."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        """Args: duck: a connection of its own, to the account's database."""
        self.version = 0
        self._duck, self._lock = duck, threading.RLock()
        duck.execute(
            f"CREATE TABLE IF NOT EXISTS {_TABLE} (privilege VARCHAR, kind VARCHAR, key VARCHAR, to_kind VARCHAR,"
            " grantee VARCHAR, granted_by VARCHAR, with_option BOOLEAN, created_us BIGINT)"
        )
        self._by_object: dict[Securable, dict[tuple[str, Securable, str, str], Grant]] = {}
        rows = duck.execute(f"SELECT * FROM {_TABLE}").fetchall()
        for privilege, kind, key, to_kind, to, by, option, created in rows:
            on, at = Securable(kind, tuple(json.loads(key))), datetime.fromtimestamp(created / 1e6, UTC)
            self._remember(Grant(privilege, on, to_kind, to, by, option, at))
        self._closures: dict[frozenset[tuple[str, str]], frozenset[str]] = {}
        self._held: dict[tuple[frozenset[str], Securable], frozenset[str]] = {}

    # --- questions ---------------------------------------------------------------------------------------------------

    def roles_of_user(self, user: str) -> frozenset[str]:
        """All roles that ``user`` may use: those granted to it, PUBLIC, and those granted to these."""
        return self._closure(frozenset({("USER", user), ("ROLE", PUBLIC)})) | {PUBLIC}

    def with_inherited(self, roles: Iterable[str]) -> frozenset[str]:
        """``roles``, PUBLIC, and all roles that are granted to them."""
        own = frozenset(roles) | {PUBLIC}
        return self._closure(frozenset(("ROLE", role) for role in own)) | own

    def held(self, roles: frozenset[str], on: Securable) -> frozenset[str]:
        """The privileges on an object that ``roles`` have together; the owner's includes OWNERSHIP."""
        with self._lock:
            found = self._held.get((roles, on))
            if found is None:
                grants = self._by_object.get(on, {}).values()
                found = frozenset(each.privilege for each in grants if each.to_kind == "ROLE" and each.to in roles)
                if self.owner(on) in roles:
                    found |= {OWNERSHIP}
                self._held[roles, on] = found
            return found

    def may_pass_on(self, roles: frozenset[str], on: Securable, privilege: str) -> bool:
        """Whether one of ``roles`` owns the object or has the privilege WITH GRANT OPTION."""
        with self._lock:
            return self.owner(on) in roles or any(
                each.with_option and each.privilege == privilege and each.to in roles
                for each in self._by_object.get(on, {}).values()
            )

    def owner(self, on: Securable) -> str:
        """The role that owns an object."""
        with self._lock:
            for each in self._by_object.get(on, {}).values():
                if each.privilege == OWNERSHIP:
                    return each.to
        if on.containers:
            return self.owner(on.containers[-1])
        return SYSADMIN if on.kind in ("DATABASE", "WAREHOUSE") else ACCOUNTADMIN

    def created_on(self, on: Securable) -> datetime | None:
        """When an object got its owner, by its creation or GRANT OWNERSHIP; None where that is not recorded."""
        with self._lock:
            owned = [each.created_on for each in self._by_object.get(on, {}).values() if each.privilege == OWNERSHIP]
        return owned[0] if owned else None

    def is_recorded(self, on: Securable) -> bool:
        """Whether anything is granted on the object."""
        return on in self._by_object

    def on(self, on: Securable) -> list[Grant]:
        with self._lock:
            return _sorted(self._by_object.get(on, {}).values())

    def to(self, kind: str, name: str) -> list[Grant]:
        with self._lock:
            return [each for each in _sorted(self._all()) if (each.to_kind, each.to) == (kind, name)]

    # --- changes -----------------------------------------------------------------------------------------------------

    def grant(self, grants: Iterable[Grant]) -> None:
        """Add grants; one that exists already keeps its time, and its option unless the new one has it."""
        added = []
        with self._lock:
            for each in grants:
                before = self._by_object.get(each.on, {}).get(each.identity)
                if before is None:
                    added.append(replace(each, created_on=datetime.now(UTC)))
                elif each.with_option and not before.with_option:
                    added.append(replace(before, with_option=True))
            self._change(added, added)

    def revoke(self, grants: Iterable[Grant]) -> None:
        with self._lock:
            self._change(list(grants), [])

    def created(self, on: Securable, owner: str, *, keep: bool) -> None:
        """An object was created or replaced: ``owner`` owns it, and future grants on its schema or database apply.

        Args:
            keep: COPY GRANTS, what was granted on the replaced object is granted on the new one.
        """
        with self._lock:
            before = [each for each in self.on(on) if not keep or each.privilege == OWNERSHIP]
            new = [Grant(OWNERSHIP, on, "ROLE", owner, owner)]
            # Grants on the schema take precedence: with any on the schema, those on the database don't apply.
            for container in reversed(on.containers):
                if promised := self.on(future(on.kind, container)):
                    if any(each.privilege == OWNERSHIP for each in promised):
                        new = []
                    new += [replace(each, on=on) for each in promised]
                    break
            kept = {each.identity for each in self.on(on)} - {each.identity for each in before}
            now = datetime.now(UTC)
            added = [replace(each, created_on=now) for each in new if each.identity not in kept]
            self._change(before, added)

    def dropped(self, on: Securable, dropper: str) -> None:
        """An object is gone, with everything in it; what a dropped role owned belongs to the role ``dropper``."""
        with self._lock:
            gone = [
                each
                for each in self._all()
                if on in (each.on, Securable(each.to_kind, (each.to,)))
                or each.on.is_in(on)
                or (each.is_future and on.kind in ("DATABASE", "SCHEMA") and each.on.key[: len(on.key)] == on.key)
            ]
            owned = [each for each in gone if each.privilege == OWNERSHIP and each.on != on and on.kind == "ROLE"]
            self._change(gone, [replace(each, to=dropper) for each in owned])

    def renamed(self, on: Securable, to: Securable) -> None:
        with self._lock:
            moved = self.on(on)
            self._change([*moved, *self.on(to)], [replace(each, on=to) for each in moved])

    def own(self, on: Securable, owner: str, granted_by: str, *, keep: bool) -> None:
        """GRANT OWNERSHIP; ``keep`` leaves the other grants on the object."""
        with self._lock:
            before = [each for each in self.on(on) if not keep or each.privilege == OWNERSHIP]
            self._change(before, [Grant(OWNERSHIP, on, "ROLE", owner, granted_by, created_on=datetime.now(UTC))])

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _all(self) -> list[Grant]:
        return [each for grants in self._by_object.values() for each in grants.values()]

    def _remember(self, grant: Grant) -> None:
        self._by_object.setdefault(grant.on, {})[grant.identity] = grant

    def _change(self, removed: list[Grant], added: list[Grant]) -> None:
        """Write first, then remember: nothing counts that a restart would forget."""
        self._duck.begin()
        try:
            for each in removed:
                self._duck.execute(
                    f"DELETE FROM {_TABLE} WHERE (privilege, kind, key, to_kind, grantee) = (?, ?, ?, ?, ?)",
                    [each.privilege, each.on.kind, json.dumps(each.on.key), each.to_kind, each.to],
                )
            for each in added:
                self._duck.execute(
                    f"INSERT INTO {_TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [each.privilege, each.on.kind, json.dumps(each.on.key), each.to_kind, each.to, each.granted_by,
                     each.with_option, int(each.created_on.timestamp() * 1e6)],
                )  # fmt: skip
            self._duck.commit()
        except BaseException:
            self._duck.rollback()
            raise
        for each in removed:
            grants = self._by_object.get(each.on, {})
            grants.pop(each.identity, None)
            if not grants:
                self._by_object.pop(each.on, None)
        for each in added:
            self._remember(each)
        self.version += 1
        self._closures.clear()
        self._held.clear()

    def _closure(self, grantees: frozenset[tuple[str, str]]) -> frozenset[str]:
        with self._lock:
            found = self._closures.get(grantees)
            if found is None:
                found = self._closures[grantees] = self._reached(grantees)
            return found

    def _reached(self, grantees: frozenset[tuple[str, str]]) -> frozenset[str]:
        granted: dict[tuple[str, str], set[str]] = {}
        for each in self._all():
            if each.on.kind == "ROLE" and each.privilege == USAGE:
                granted.setdefault((each.to_kind, each.to), set()).add(each.on.key[0])
        reached: set[str] = set()
        waiting = list(grantees)
        while waiting:
            for role in granted.get(waiting.pop(), set()) - reached:
                reached.add(role)
                waiting.append(("ROLE", role))
        return frozenset(reached)


def _sorted(grants: Iterable[Grant]) -> list[Grant]:
    return sorted(grants, key=lambda each: (each.on, each.privilege, each.to_kind, each.to))
