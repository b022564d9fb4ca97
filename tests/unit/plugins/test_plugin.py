"""The pipeline's entries in Airflow's menu."""

from __future__ import annotations

from pathlib import Path

import clicks_to_deliveries_plugin
import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

pytestmark = pytest.mark.unit

NAVIGATION = Path(__file__).parents[3] / "dashboard/navigation.py"


def test_the_menu_leads_to_pages_that_the_dashboard_has():
    views = clicks_to_deliveries_plugin.external_views("https://dashboard.example.com/")
    shown = [ExternalViewResponse(**view) for view in views]
    assert [(view.name, view.href) for view in shown] == [
        ("Pipeline state", "https://dashboard.example.com/"),
        ("Pipeline health", "https://dashboard.example.com/pipeline_health"),
        ("Fleet", "https://dashboard.example.com/fleet"),
    ]
    # Without a route of Airflow's, a link opens in a tab of its own.
    assert {(view.destination, view.url_route) for view in shown} == {("nav", None)}
    navigation = NAVIGATION.read_text()
    assert [page for page in clicks_to_deliveries_plugin.PAGES if page and f'url_path="{page}"' not in navigation] == []


def test_without_a_dashboard_the_menu_has_none_and_the_listener_stays():
    assert clicks_to_deliveries_plugin.external_views("") == []
    plugin = clicks_to_deliveries_plugin.ClicksToDeliveriesPlugin
    assert plugin.external_views == []
    assert [each.__name__ for each in plugin.listeners] == ["clicks_to_deliveries.notifiers.run_notes"]
