"""`labsupport doctor` says what a report needs, and nothing about who reports."""

from __future__ import annotations

from typer.testing import CliRunner

from labsupport import __version__, doctor


def test_the_report_names_versions_machine_and_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("LABSUPPORT_WORKERS", "1")
    lines = dict(line.split(":", 1) for line in doctor.report().splitlines())
    assert lines["labsupport"].strip() == __version__
    assert "torch 2." in lines["libraries"] and "LABSUPPORT_WORKERS=1" in lines["set here"]
    assert lines["results"].strip().startswith("~/store (not made yet, can be written, ")
    assert str(tmp_path) not in doctor.report()


def test_a_library_that_is_absent_is_said_to_be():
    assert doctor.version("no-such-library") == "not installed"


def test_the_command_prints_the_report():
    from labsupport.__main__ import app

    told = CliRunner().invoke(app, ["doctor"])
    assert told.exit_code == 0 and "libraries:" in told.stdout
