"""The options of ``make demo``."""

from __future__ import annotations

import pytest

from include.local.demo import __main__ as command_line

pytestmark = pytest.mark.unit


def test_settings_can_be_given(monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["demo", "--set", "CTD_MONITOR_SCHEDULE=* * * * *", "--set", "CTD_API_USER_POOLS=a=b"]
    )

    assert command_line._options().settings == [("CTD_MONITOR_SCHEDULE", "* * * * *"), ("CTD_API_USER_POOLS", "a=b")]


def test_a_relative_state_is_one_of_the_callers_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["demo", "--state", ".local/demo"])

    assert command_line._options().state == tmp_path / ".local/demo"


@pytest.mark.parametrize("text", ["CTD_MONITOR_SCHEDULE", "AWS_PROFILE=production"])
def test_what_is_no_setting_is_refused(text, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["demo", "--set", text])

    with pytest.raises(SystemExit):
        command_line._options()
    assert f"{text!r} is not a setting and its value" in capsys.readouterr().err
