"""``make cluster``: the whole pipeline in containers, with Docker or Podman.

    make cluster                            builds, starts, waits until everything is healthy, says where to log in
    make cluster ARGS="up --workers 2"      the same, with two Celery workers
    make cluster ARGS=check                 provisions, sends traffic, and prints the acceptance report
    make cluster ARGS=drill                 the proof (docs/cluster.md): kills every service in turn, under traffic
    make cluster ARGS=down                  stops it; `down --forget` also deletes what it stored

Exit code: 0 on success, 1 on failure.
"""

from __future__ import annotations

import argparse
import sys

from include.local.cluster import env_file
from include.local.cluster.cluster import Cluster
from include.local.cluster.drill import Drill
from include.local.cluster.engine import ROOT, EngineError, find_engine


def main() -> int:
    options = _options()
    try:
        cluster = Cluster(find_engine())
        if options.command == "down":
            cluster.down(forget=options.forget)
            return 0
        if names := env_file.ensure(ROOT / ".env"):
            cluster.say(f"Wrote to .env: {', '.join(names)}")
        if options.command == "up":
            cluster.up(options.workers)
            cluster.tell_addresses()
            return 0
        if options.command == "check":
            return 0 if cluster.check(options.records, options.rate) else 1
        return 0 if Drill(cluster).run(options.only) else 1
    except EngineError as error:
        print(f"make cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; what runs goes on.  make cluster ARGS=down stops it.", file=sys.stderr)
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make cluster", description="The whole pipeline in containers.")
    commands = parser.add_subparsers(dest="command")
    up = commands.add_parser("up", help="build, start, wait until everything is healthy (the default)")
    up.add_argument("--workers", type=int, default=1, metavar="N", help="Celery workers (default: %(default)s)")
    check = commands.add_parser("check", help="provision, send traffic, print the acceptance report")
    check.add_argument("--records", type=int, default=3000, help="clicks, and readings (default: %(default)s)")
    check.add_argument("--rate", type=int, default=50, help="of each per second (default: %(default)s)")
    drill = commands.add_parser("drill", help="prove that the cluster survives the loss of each service")
    drill.add_argument("--only", nargs="+", metavar="SERVICE", help="kill only these")
    down = commands.add_parser("down", help="stop everything; what it stored stays")
    down.add_argument("--forget", action="store_true", help="delete what it stored, too")
    return parser.parse_args(sys.argv[1:] or ["up"])


if __name__ == "__main__":
    sys.exit(main())
