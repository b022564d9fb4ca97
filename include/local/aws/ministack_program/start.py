"""MiniStack starts, with everything before this in place."""

from asyncio import constants

from ministack import app

# A client that keeps its connection open would hold up the end for 30 s.
constants.SSL_SHUTDOWN_TIMEOUT = 0.5

# With TLS, MiniStack would listen on port 443 too, if it is free.
is_bindable = app._port_is_bindable
app._port_is_bindable = lambda host, port: port != 443 and is_bindable(host, port)

app.main()
