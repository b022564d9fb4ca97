"""Somebody on call, who knows nothing but the page: runs its blocks on the running demo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tests.runbooks import pages

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 240
RUN_SECONDS = 480
POLL_SECONDS = 1.0
# In which a person reads a question.
READING_SECONDS = 5.0
STEP = re.compile(r"(?P<verb>unpause|pause|trigger|wait for|clear|approve) (?P<dag>\w+)(?:: (?P<form>.+))?")


def wait_until(ask: Callable[[], Any], seconds: float, what: str) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)
    return answer


class Airflow:
    """Airflow's pages, by the REST API that they use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {self.call('GET', '/auth/token')['access_token']}"

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the API; a server error is SQLite's, whose writers wait for each other, and the call is repeated."""
        for _ in range(6):
            answer = self._session.request(method, f"{self._url}{path}", timeout=60, **arguments)
            if answer.status_code < 500:
                break
            time.sleep(POLL_SECONDS)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json() if answer.content else None

    def newest_run(self, dag_id: str, *states: str) -> dict[str, Any]:
        """The newest run, or the newest of those in ``states``; empty if there is none."""
        asked = {"order_by": "-id", "limit": 1, "state": states}
        runs = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=asked)["dag_runs"]
        return dict(runs[0]) if runs else {}

    def log(self, dag_id: str, task_id: str) -> str:
        """The log of the last try of a task of the newest run that ended."""
        run = self.newest_run(dag_id, "success", "failed")["dag_run_id"]
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}"
        tries = self.call("GET", path)["try_number"]
        return json.dumps(self.call("GET", f"{path}/logs/{tries}", params={"full_content": True})["content"])

    def step(self, line: str) -> None:
        """Do one step of an ``airflow`` block."""
        step = STEP.fullmatch(line)
        assert step, f"no step that Airflow's pages have: {line!r}"
        dag_id, form = step["dag"], step["form"] or ""
        match step["verb"]:
            case "unpause" | "pause" as verb:
                self.call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": verb == "pause"})
            case "trigger":
                # The form's switch "Unpause on trigger" is on.
                self.call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
                body = {"logical_date": None, "conf": self._conf(dag_id, form)}
                self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)
            case "wait for":
                self.wait_for(dag_id, "success")
            case "clear":
                body = {"dry_run": False, "only_failed": True, "dag_run_id": self.newest_run(dag_id)["dag_run_id"]}
                self.call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)
            case "approve":
                self._approve(dag_id)

    def wait_for(self, dag_id: str, state: str) -> None:
        """Wait until the newest run has ended, with ``state``."""

        def ended() -> str | None:
            found = str(self.newest_run(dag_id)["state"])
            return found if found in ("success", "failed") else None

        found = wait_until(ended, RUN_SECONDS, f"the end of the run of {dag_id}")
        assert found == state, f"the run of {dag_id} ended as {found}"

    def _conf(self, dag_id: str, form: str) -> dict[str, Any]:
        """What the form sends: a page names its fields by their titles."""
        params = self.call("GET", f"/api/v2/dags/{dag_id}/details")["params"]
        fields = {
            param["schema"].get("title", name): (name, param["schema"].get("type")) for name, param in params.items()
        }
        conf: dict[str, Any] = {}
        for entry in filter(None, form.split(", ")):
            title, _, value = entry.partition(" = ")
            name, kind = fields[title]
            match kind:
                case "boolean":
                    conf[name] = value == "on"
                case "array":
                    conf[name] = [value]
                case "integer":
                    conf[name] = int(value)
                case _:
                    conf[name] = value
        return conf

    def _approve(self, dag_id: str) -> None:
        run = self.newest_run(dag_id)["dag_run_id"]
        tasks = f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances"

        def asks() -> bool:
            found = self.call("GET", tasks)["task_instances"]
            assert not any(each["state"] == "failed" for each in found)
            return any(
                each["task_id"] == "approve" and each["state"] in ("deferred", "awaiting_input") for each in found
            )

        wait_until(asks, RUN_SECONDS, f"the question of {dag_id}")
        # Airflow fails a task that is answered before its scheduler has heard that it waits (apache/airflow#66374).
        time.sleep(READING_SECONDS)
        answer = {"chosen_options": ["Approve"], "params_input": {}}
        self.call("PATCH", f"{tasks}/approve/-1/hitlDetails", json=answer)


class OnCall:
    """Runs the blocks of a page's section, and keeps what they print."""

    def __init__(self, shell: Path, airflow: Airflow, programs: Path) -> None:
        self.airflow = airflow
        self._shell = shell
        self._programs = programs

    def follow(self, page: str, heading: str, **words: str) -> str:
        """Run every block of the section; return what they printed.  ``words`` are those in brackets."""
        named = {name.replace("_", " "): word for name, word in words.items()}
        printed = ""
        blocks = pages.section(page, heading).blocks
        assert blocks, f"{page}, {heading}: there is nothing to run"
        for language, text in blocks:
            text = pages.filled_in(text, named)
            if language == "airflow":
                for line in text.splitlines():
                    self.airflow.step(line)
            else:
                printed += self.run(text) if language == "sh" else self.sql(text)
        return printed

    def run(self, script: str) -> str:
        """Run a script in the shell that the demo prepares; it must succeed."""
        path = os.pathsep.join([str(self._programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        before = f". {self._shell}\nexport PATH={path}\nset -euo pipefail\n"
        done = subprocess.run(
            ["bash", "-c", before + script], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def sql(self, statements: str) -> str:
        return self.run(f"python -m include.local.demo.sql <<'END_OF_STATEMENTS'\n{statements}\nEND_OF_STATEMENTS")
