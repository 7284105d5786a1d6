"""Stop commands by a signal at random moments, run them again, and compare with a run that nothing disturbed."""

import os
import signal
import subprocess
import sys
import time

from benchmarks.attacks.base import ROOT, Attack, Copy, Ended, environment, load_libraries, run_command
from benchmarks.attacks.long_commands import LongCommand, differences, half_written, libraries, long_commands

STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
# a process that begins anew loads libraries; one of so many kills meets such a process
NEW_PROCESS, LOADING_S = 5, 1.5
# commands in a row that may end before their signal: each makes the next signal come earlier
MOST_TOO_LATE = 50


def run(attack: Attack) -> None:
    # a process in the background of a shell ignores Ctrl-C, and so would the commands that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    load_libraries(*libraries(attack))
    too_late = 0
    with long_commands(attack) as commands:
        while attack.more() and too_late < MOST_TOO_LATE:
            command = commands[attack.counts["tries"] % len(commands)]
            work = command.begin(attack.folder)
            number = attack.random.choice(list(STOPPED))
            anew = attack.random.randrange(NEW_PROCESS) == 0
            after = attack.random.uniform(0.0, 0.9) * (command.seconds + anew * LOADING_S)
            ended = (_kill_new_process if anew else _kill_copy)(attack, command, number, after)
            if ended.code == 0:
                # its duration was measured on a machine that was busier, or the first run also filled caches
                command.seconds = min(command.seconds, after)
                attack.parts["ended before the signal"] += 1
                too_late += 1
                continue
            too_late = 0
            attack.counts["tries"] += 1
            attack.parts[command.name] += 1
            attack.parts[number.name] += 1
            if wrong := half_written(command, work):
                attack.fault("half-written", f"{command.name}, {number.name} after {after:.2f} s: {wrong[:5]}")
            # 2: all was done, and only the stopped process could not say so
            attack.run(*command.words, expected=(0, 2))
            if wrong := differences(command, work):
                attack.fault("mismatches", f"{command.name}, {number.name} after {after:.2f} s: {wrong[:5]}")


def _kill_copy(attack: Attack, command: LongCommand, number: signal.Signals, after: float) -> Ended:
    with Copy(lambda: run_command(command.words), attack.folder) as copy:
        time.sleep(0.05 + after)
        os.kill(copy.pid, number)
        ended = copy.end(command.words)
    if ended.code != 0:
        attack.judge(ended, (STOPPED[number],))
    return ended


def _kill_new_process(attack: Attack, command: LongCommand, number: signal.Signals, after: float) -> Ended:
    words = [sys.executable, str(ROOT / "cli.py"), *command.words]
    with subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=attack.folder,
        env=environment(attack.folder),
    ) as running:
        time.sleep(after)
        running.send_signal(number)
        err = running.communicate()[1]
    ended = Ended(command.words, running.returncode, "", err)
    # before the first line of geolive runs, Python itself ends
    if ended.code not in (0, -number) or "geolive" in err:
        attack.judge(ended, (0, STOPPED[number]))
    return ended
