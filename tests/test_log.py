"""What goes wrong is told in one message on the terminal and in full in the log file."""

import logging
from types import SimpleNamespace

import pytest

from geojax import log
from geojax.errors import UserError


def test_messages_of_a_job_go_to_its_file_with_time_and_level(tmp_path):
    with log.to_file(tmp_path / "logs" / "a.log"):
        log.logger.info("%d rows", 3)
        log.logger.warning("one left out")

    first, second = (tmp_path / "logs" / "a.log").read_text().splitlines()
    assert first.endswith("INFO 3 rows")
    assert second.endswith("WARNING one left out")
    assert first[:2] == "20"


def test_what_a_user_can_mend_ends_the_job_with_the_message_alone(tmp_path):
    with pytest.raises(SystemExit) as caught, log.to_file(tmp_path / "a.log"):
        raise UserError("sst.nc: must be in 'K'. Convert it.")

    assert caught.value.code == "\nsst.nc: must be in 'K'. Convert it.\n"
    told = (tmp_path / "a.log").read_text()
    assert "ERROR sst.nc: must be in 'K'. Convert it." in told
    assert "Traceback" not in told


def test_what_was_not_foreseen_names_the_log_file_which_holds_the_traceback(tmp_path):
    def deep():
        raise ZeroDivisionError("by zero")

    with pytest.raises(SystemExit) as caught, log.to_file(tmp_path / "a.log"):
        deep()

    assert "ZeroDivisionError: by zero" in caught.value.code
    assert str(tmp_path / "a.log") in caught.value.code
    assert "Traceback" not in caught.value.code
    told = (tmp_path / "a.log").read_text()
    assert "Traceback" in told
    assert "in deep" in told


def test_an_interrupt_is_passed_on_as_it_is(tmp_path):
    with pytest.raises(KeyboardInterrupt), log.to_file(tmp_path / "a.log"):
        raise KeyboardInterrupt


def test_a_job_run_again_starts_its_log_anew(tmp_path):
    for message in ("first", "second"):
        with log.to_file(tmp_path / "a.log"):
            log.logger.info(message)

    assert "first" not in (tmp_path / "a.log").read_text()


def test_a_job_that_ended_well_or_badly_leaves_no_handler_behind(tmp_path):
    before = list(log.logger.handlers)

    with log.to_file(tmp_path / "a.log"):
        pass
    with pytest.raises(SystemExit), log.to_file(tmp_path / "b.log"):
        raise ValueError("x")
    log.logger.info("after")

    assert log.logger.handlers == before
    assert "after" not in (tmp_path / "a.log").read_text() + (tmp_path / "b.log").read_text()


def test_messages_are_not_said_twice_by_libraries_that_set_up_the_root_logger(tmp_path, capsys):
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        with log.to_file(tmp_path / "a.log"):
            log.logger.error("once")
    finally:
        logging.getLogger().removeHandler(handler)

    assert "once" not in capsys.readouterr().err


def test_a_user_error_becomes_the_exception_that_the_host_shows_plainly():
    class WorkflowError(Exception):
        pass

    with pytest.raises(WorkflowError, match=r"^no such task$") as caught, log.plainly(WorkflowError):
        raise UserError("no such task")

    assert caught.value.__suppress_context__
    with pytest.raises(KeyError), log.plainly(WorkflowError):
        raise KeyError("a bug is shown as one")


class Named(dict):
    """Inputs, outputs and parameters as Snakemake hands them over."""


class Text(str):
    """Snakemake's own kind of string."""


def job(**groups):
    return SimpleNamespace(**{"input": Named(), "output": Named(), "params": Named()} | groups)


def test_a_stage_gets_what_it_takes_and_nothing_that_only_snakemake_looks_at():
    def stage(part: str, zarr: str, scaling: dict) -> None: ...

    given = job(
        input=Named(part="a.manifest.json", other="b"),
        output=Named(manifest="m.json", zarr="a.zarr"),
        params=Named(scaling={"center": "month"}, code="0123"),
    )

    assert log.arguments(given, stage) == {
        "part": "a.manifest.json", "zarr": "a.zarr", "scaling": {"center": "month"},
    }  # fmt: skip


def test_settings_that_a_rule_asks_for_together_are_taken_by_name():
    def stage(part: str, reader: dict) -> None: ...

    given = job(params=Named(part="1991", settings={"reader": {"name": "netcdf"}, "code": "0123"}))

    assert log.arguments(given, stage) == {"part": "1991", "reader": {"name": "netcdf"}}


def test_strings_of_snakemake_become_plain_strings_and_lists_stay():
    def stage(part: str, parts: list) -> None: ...

    found = log.arguments(job(input=Named(part=Text("a"), parts=["a", "b"])), stage)

    assert type(found["part"]) is str
    assert found["parts"] == ["a", "b"]
