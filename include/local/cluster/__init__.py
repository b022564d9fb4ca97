"""``make cluster``: docker-compose.yaml built, started, checked and broken, with the docker or podman that is there.

What runs on the person's machine (``__main__``, ``engine``, ``drill``, ``env_file``) needs nothing but Python.
``inside`` and ``login`` run in the containers.
"""
