"""Kill commands at random moments, run them again, and compare with a run that nothing disturbed."""

import shutil
import signal
import subprocess
import sys
import time

from benchmarks.attacks.base import ROOT, Attack, Ended, content, environment, make_dataset

STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}


def run(attack: Attack) -> None:
    data = make_dataset(attack.folder / "data", 1)
    commands = {
        "sample": ["sample", "--region", "goa", "--seed", "3"],
        "evaluate": ["evaluate", data, "--models", "mean,idw,kriging", "--split", "random"],
        "train clusterwise": ["train", "clusterwise", data, "--trees", "30"],
        "predict": ["predict", "--region", "goa", "--dataset", data, "--model", "idw"],
    }
    whole, took = {}, {}
    for name, words in commands.items():
        # results record where they were written, so both runs write to the same place
        start, out = time.monotonic(), attack.folder / "killed" / name.replace(" ", "-")
        attack.run(*words, "--out", _target(name, out), expected=(0,))
        whole[name], took[name] = content(out), time.monotonic() - start
    attack.counts["tries"] = 0
    while attack.more():
        name = attack.random.choice(list(commands))
        folder = attack.folder / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        out = folder / name.replace(" ", "-")
        words = [*commands[name], "--out", _target(name, out)]
        if not _kill(attack, words, attack.random.uniform(0.05, 1.1) * took[name]):
            continue
        found = content(out) if out.exists() else {}
        if name != "predict" and found and set(found) != set(whole[name]):
            attack.fault("half-written", f"{name}: {sorted(found)[:5]}")
        shutil.rmtree(out, ignore_errors=True)
        tries = attack.counts["tries"]
        attack.run(*words, expected=(0,))
        attack.counts["tries"] = tries
        again = content(out) if out.exists() else {}
        if set(again) != set(whole[name]) or _comparable(again) != _comparable(whole[name]):
            attack.fault("mismatches", f"{name}: {sorted(set(again) ^ set(whole[name]))[:5]} {words}")


def _comparable(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files without what is never equal: skops numbers the objects of an estimator by their places in memory."""
    return {name: data for name, data in files.items() if name not in ("model.skops", "card.json")}


def _target(name: str, out):
    return out / "map.html" if name == "predict" else out


def _kill(attack: Attack, words: list, after: float) -> bool:
    """Start a command and send it a signal; whether the signal came before its end."""
    attack.counts["tries"] += 1
    number = attack.random.choice(list(STOPPED))
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=attack.folder, env=environment()
    )
    time.sleep(after)
    running.send_signal(number)
    err = running.communicate()[1]
    if running.returncode == 0:
        return False
    early = running.returncode == -number  # before geolive was imported, Python itself ends
    if not early:
        attack.judge(Ended(list(map(str, words)), running.returncode, "", err), (STOPPED[number],))
    return True
