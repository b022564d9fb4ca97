"""Finding docker or podman, and reading what they list: with programs of our own under their names."""

import sys
from pathlib import Path

import pytest

from include.local.cluster.engine import Container, EngineError, find_engine, health_changes

pytestmark = pytest.mark.unit

# Answers as the file beside it says: one line "words of the command = exit code output" each.
PROGRAM = """#!{python} -IS
import pathlib, sys
for line in pathlib.Path(__file__ + ".answers").read_text().splitlines():
    words, _, answer = line.partition(" = ")
    if sys.argv[1:][: len(words.split())] == words.split():
        code, _, output = answer.partition(" ")
        print(output.replace("|", chr(10)), file=sys.stderr if int(code) else sys.stdout)
        sys.exit(int(code))
sys.exit("unknown")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(name: str, **answers: str) -> None:
        program = tmp_path / name
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        lines = (f"{words.replace('_', ' ')} = {answer}" for words, answer in answers.items())
        Path(f"{program}.answers").write_text("\n".join(lines))

    return install


def test_without_either_the_error_says_what_is_needed(programs):
    with pytest.raises(
        EngineError, match=r"needs Docker or Podman(.|\n)*docker: is not installed(.|\n)*podman: is not"
    ):
        find_engine()


def test_one_that_does_not_answer_is_passed_over(programs):
    programs("docker", ps="1 Cannot connect to the Docker daemon")
    programs("podman", ps="0 ", compose_version="0 2.30.0")
    assert find_engine().program == "podman"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"ps": "1 first|permission denied"}, r"docker: does not answer \(permission denied\)"),
        ({"ps": "0 ", "compose_version": "1 'compose' is not a docker command"}, "docker: has no Compose"),
        ({"ps": "0 ", "compose_version": "0 2.20.3"}, "docker: has Compose 2.20.3, and 2.23.1 or later"),
        ({"ps": "0 ", "compose_version": "0 dev"}, "docker: has Compose dev, and 2.23.1"),
    ],
)
def test_one_that_is_not_fit_is_named_with_the_reason(programs, answers, said):
    programs("docker", **answers)
    with pytest.raises(EngineError, match=said):
        find_engine()


def test_docker_is_first(programs):
    for name in ("docker", "podman"):
        programs(name, ps="0 ", compose_version="0 v2.40.1-desktop.1")
    assert find_engine().program == "docker"


@pytest.mark.parametrize(
    ("state", "status", "health", "is_settled"),
    [
        ("running", "Up 3 seconds (health: starting)", "starting", False),
        ("running", "Up 2 minutes (healthy)", "healthy", True),
        ("running", "Up 2 minutes (starting)", "starting", False),
        ("running", "Up 2 minutes (unhealthy)", "unhealthy", False),
        ("running", "Up 2 minutes", "running", True),
        ("exited", "Exited (0) 3 seconds ago", "ended", True),
        ("exited", "Exited (137) 3 seconds ago", "Exited (137) 3 seconds ago", False),
        ("created", "Created", "Created", False),
    ],
)
def test_a_containers_health_in_one_word(state, status, health, is_settled):
    container = Container("worker", "1", "worker-1", state, status)
    assert (container.health, container.is_settled) == (health, is_settled)


LINES = (
    "redis\t1\tredis-1\trunning\tUp (healthy)|acceptance\t2\trun\trunning\tUp|init\t3\tinit-1\texited\tExited ({code})"
)


def test_every_service_is_waited_for_but_no_command(programs):
    programs("docker", **{"ps_--quiet": "0 ", "ps_--all": "0 " + LINES.format(code=0), "compose_version": "0 2.23.1"})
    changes = list(health_changes(find_engine(), lambda: True, 5))
    assert [(name, health) for _, name, health in changes] == [("init-1", "ended"), ("redis-1", "healthy")]


def test_what_does_not_become_healthy_is_named(programs):
    programs("docker", **{"ps_--quiet": "0 ", "ps_--all": "0 " + LINES.format(code=1), "compose_version": "0 2.23.1"})
    with pytest.raises(EngineError, match=r"not healthy after 0 s: init-1 \(Exited \(1\)\)"):
        list(health_changes(find_engine(), lambda: True, 0))
