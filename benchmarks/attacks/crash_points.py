"""Kill commands before one of their changes of files, run them again, and compare with a run that nothing disturbed."""

from benchmarks.attacks.base import Attack, Copy, load_libraries, run_command
from benchmarks.attacks.long_commands import LongCommand, differences, half_written, libraries, long_commands
from tests.crash_points import kill_at


def run(attack: Attack) -> None:
    load_libraries(*libraries(attack))
    with long_commands(attack) as commands:
        while attack.more():
            command = commands[attack.counts["tries"] % len(commands)]
            work = command.begin(attack.folder)
            step = attack.random.randrange(command.changes) + 1
            with Copy(lambda step=step, command=command: _killed(step, command), attack.folder) as copy:
                ended = copy.end(command.words)
            attack.counts["tries"] += 1
            attack.parts[command.name] += 1
            if ended.code != -9:
                attack.judge(ended, (0, -9))
                continue
            if wrong := half_written(command, work):
                attack.fault("half-written", f"{command.name}, before change {step}: {wrong[:5]}")
            attack.run(*command.words, expected=(0, 2))
            if wrong := differences(command, work):
                attack.fault("mismatches", f"{command.name}, before change {step}: {wrong[:5]}")


def _killed(step: int, command: LongCommand) -> int:
    kill_at(step, "")
    return run_command(command.words)
