"""Who may see what: sign-in by OpenID Connect if it is configured, and the roles reader and operator.

Without sign-in, everyone is an operator: the server listens on 127.0.0.1.

A page calls :func:`is_operator` before it shows the raw bytes of a record or a command that acts on one, and refreshes
with :func:`fragment`, which stops when the person's session ends.
"""

from dashboard.access.answers import middleware
from dashboard.access.gate import is_open, show_closed, show_session
from dashboard.access.session import fragment, is_operator
from dashboard.access.settings import sign_in

__all__ = [
    "fragment",
    "is_open",
    "is_operator",
    "middleware",
    "show_closed",
    "show_session",
    "sign_in",
]
