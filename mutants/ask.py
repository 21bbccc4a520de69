#!/usr/bin/env python3
"""Asks the tests of the woven executable for each change: of those that reach it the quickest first.

    mutants/ask.py WOVEN.json TREE HOME OUT SLOWEST WORKERS

A test that takes more than SLOWEST seconds of the processor is not asked. With AGAIN only what the last run did not notice is asked. The first failure ends a run, and so does a loop that
does not end: what counts is the time of the processor. The end is a table by file; OUT has the lists.
"""
import collections
import concurrent.futures
import json
import os
import subprocess
import sys

FIRST = "a_first::failure_ends_the_run"
MEMORY = 8_000_000_000


class Tests:
    def __init__(self, executable, tree, home, out):
        self.executable, self.home, self.out = executable, home, out
        self.env = dict(os.environ, INSTA_UPDATE="no", INSTA_WORKSPACE_ROOT=tree, CARGO_MANIFEST_DIR=home)

    def start(self, names, seconds, more):
        limits = ["prlimit", f"--cpu={seconds}", f"--as={MEMORY}"]
        command = limits + [self.executable, "--test-threads=1", "--exact"] + names
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return subprocess.Popen(command, cwd=self.home, env=dict(self.env, **more), **quiet)

    def names(self):
        command = [self.executable, "--list"]
        listed = subprocess.run(command, env=self.env, cwd=self.home, stdout=subprocess.PIPE, text=True, check=True)
        tests = [line[:-6] for line in listed.stdout.splitlines() if line.endswith(": test")]
        return [name for name in tests if name != FIRST]

    def reach(self, name, slowest):
        """The time of a test by itself, and the changes that it reaches."""
        file = os.path.join(self.out, "reached-" + name.replace(":", "_"))
        open(file, "w").close()
        started = self.start([name], int(slowest) + 1, {"MUTANT_REACHED": file})
        _, status, used = os.wait4(started.pid, 0)
        with open(file) as lines:
            ids = {int(line) for line in lines}
        os.remove(file)
        took = used.ru_utime + used.ru_stime
        if status and took < slowest:
            sys.exit(f"`{name}` fails without any change")
        return took, name, ids

    def answer(self, change, tests):
        batch, took, first = [], 0.0, True
        own = [(took, name) for took, name, ids in tests if change in ids]
        if not own:
            return "unreached"
        for place, (one, name) in enumerate(own):
            batch.append(name)
            took += one
            if took > (0.15 if first else 3) or place + 1 == len(own):
                seconds = int(3 + 5 * took)
                if self.start([FIRST] + batch, seconds, {"MUTANT": str(change)}).wait():
                    return "noticed"
                batch, took, first = [], 0.0, False
        return "missed"


def noticed_before(out):
    """The names of what the last run noticed: the commit is the same, so they say the same."""
    with open(os.path.join(out, "noticed.txt")) as file:
        return set(file.read().splitlines())


def main():
    woven, tree, home, out, slowest, workers = sys.argv[1:]
    slowest = float(slowest)
    with open(woven) as text:
        woven = json.load(text)
    before = noticed_before(out) if os.environ.get("AGAIN") else set()
    tests = Tests(woven["tests"], *map(os.path.abspath, (tree, os.path.join(tree, home), out)))
    with concurrent.futures.ThreadPoolExecutor(int(workers)) as pool:
        reached = pool.map(lambda name: tests.reach(name, slowest), tests.names())
        asked = sorted(test for test in reached if test[0] <= slowest)
        print(f"{len(asked)} tests take up to {slowest} s", file=sys.stderr)
        left = [change for change in woven["made"] if woven["names"][change] not in before]
        answers = dict(zip(left, pool.map(lambda change: tests.answer(change, asked), left)))
    answers.update((change, "noticed") for change in woven["made"] if woven["names"][change] in before)
    answers.update((change, "unviable") for change in woven["refused"])
    answers.update((change, "left") for change in woven["left"])
    files, lists = collections.defaultdict(collections.Counter), collections.defaultdict(list)
    for change, answer in sorted(answers.items()):
        name = woven["names"][change]
        files[name.split(":")[0]][answer] += 1
        lists[answer].append(name)
    for answer in ("noticed", "missed", "unreached", "unviable", "left"):
        with open(os.path.join(out, answer + ".txt"), "w") as file:
            file.writelines(name + "\n" for name in lists[answer])
    columns = ("noticed", "unviable", "missed", "unreached", "left")
    print("| file | changes | noticed | did not compile | unnoticed | of no quick test | left |\n|---" + "|---" * 6 + "|")
    for file, counts in sorted(files.items()):
        cells = [str(counts.total())] + [str(counts[column]) for column in columns]
        print(f"| `{file}` | {' | '.join(cells)} |")


main()
