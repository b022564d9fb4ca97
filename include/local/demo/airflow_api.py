"""The calls that the demo makes to Airflow's REST API (v2), as an operator's script would make them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from include.retry import EQUAL_JITTER, backoff

TIMEOUT_SECONDS = 30
ATTEMPTS = 5
FINISHED = ("success", "failed")


class AirflowApi:
    """A session with the API server at ``url``.  A call that fails raises requests.RequestException."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # A busy server is asked again, except by POST, which may not be safe to repeat.  One that is down may be
        # starting again, which takes half a minute: every call waits for it.
        retry = Retry(
            total=7,
            backoff_max=15,
            backoff_factor=0.5,
            backoff_jitter=0.5,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=Retry.DEFAULT_ALLOWED_METHODS | {"PATCH"},
        )
        self._session.mount("http://", HTTPAdapter(max_retries=retry))

    def is_healthy(self) -> bool:
        """Whether the server answers and scheduler, triggerer and DAG processor report a heartbeat."""
        try:
            answer = requests.get(f"{self._url}/api/v2/monitor/health", timeout=2)
        except requests.RequestException:
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return answer.ok and all((answer.json().get(part) or {}).get("status") == "healthy" for part in parts)

    def log_in(self, user: str | None = None, password: str | None = None) -> None:
        """Get a token; without a user, as the demo's all-admins mode asks for none."""
        if user is None:
            token = self._call("GET", "/auth/token")["access_token"]
        else:
            token = self._call("POST", "/auth/token", json={"username": user, "password": password})["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """Return file and last line of each error that keeps a DAG from loading."""
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def unpause(self, dag_id: str, *, has_watchers: bool = False) -> None:
        """Let the DAG run.

        Airflow starts the triggers of asset watchers when it parses the file of an unpaused DAG: where the DAG
        ``has_watchers``, its file is parsed now.
        """
        dag = self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
        if has_watchers:
            self._call("PUT", f"/api/v2/parseDagFile/{dag['file_token']}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run and return its id.

        Airflow on SQLite sometimes refuses a write while its components write too.  The id is chosen here, so another
        attempt starts no second run.
        """
        run_id = f"demo__{uuid.uuid4()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)
            except requests.HTTPError as error:
                if error.response.status_code == HTTPStatus.CONFLICT:
                    break  # An earlier attempt was answered with an error, but started the run.
                if error.response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or attempt == ATTEMPTS:
                    raise
                time.sleep(backoff(attempt, first=0.5, longest=4.0, floor=EQUAL_JITTER))
            else:
                break
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the run's state, such as ``running`` or one of FINISHED."""
        return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task instance of a run, by task id."""
        return {task["task_id"]: task["state"] for task in self.tasks(dag_id, run_id)}

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, as the API describes them."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = self._call("GET", path, params={"limit": 100})["task_instances"]
        return found

    def tries(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """Return every try of a task, the first first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/tries"
        found: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return sorted(found, key=lambda each: each["try_number"])

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._session.request(method, f"{self._url}{path}", timeout=TIMEOUT_SECONDS, **arguments)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:500]}", response=answer)
        return answer.json()
