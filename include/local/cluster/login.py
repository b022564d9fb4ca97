"""Writes the admin's password where Airflow's simple auth manager looks for it; runs in the service airflow-init."""

from __future__ import annotations

import json
import os
from pathlib import Path

if __name__ == "__main__":
    file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    file.touch(mode=0o600)
    file.write_text(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))
