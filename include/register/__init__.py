"""The register of the fleet: which trucks are in it, and whose readings a tracker sends.

The DAG ``fleet_register`` changes it.  docs/fleet-register.md says what each change means; docs/adr has the reasons.
"""

from include.register.fleet_register import Effect, RefusedError, apply, effect_report
from include.register.register_change import ACTIONS, ASSIGN, REGISTER, RETIRE, UNDO, RegisterChange, change_of

__all__ = [
    "ACTIONS",
    "ASSIGN",
    "REGISTER",
    "RETIRE",
    "UNDO",
    "Effect",
    "RefusedError",
    "RegisterChange",
    "apply",
    "change_of",
    "effect_report",
]
