#!/usr/bin/env python3
"""What faults and stops cost at the target: users that are missing after an agent's death, requests after a hard stop.

    benches/faults.py kill [--rounds 5] [--users 30] [--spawn-rate 10]
    benches/faults.py stop [--rounds 5] [--users 300]

`kill` runs three agents, ends one with SIGKILL when all users run, and prints for each round: user-seconds that were
missing (as the report says, and as the target saw), the most users that the target saw at once, how long it took until the
target saw all users again, and the shortest time between two restarts of users that moved. It fails when the target saw more
users than were asked for, or two restarts closer together than the spawn rate allows.

`stop` runs three agents whose requests take half a second, asks the coordinator to stop (Ctrl-C) and then to stop at once
(Ctrl-C again), and prints how long after the second signal the last request reached the target, and how long the
coordinator took to end.

The judge is demo-target, which writes down every request of a user (/truth/users). PROFILE=debug takes the other build; the
programs must be built: cargo build --release. Nothing leaves the machine.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get("PROFILE", "release")
PLAN = """version: 1
name: Faults
target: {target}
load: {{ users: {users}, spawn_rate: {rate}/s, duration: {seconds}s, stop_timeout: 30s }}
users:
  User:
    wait: 50ms
    tasks:
      look:
        get: /api/v1/auth/health
        headers: {{ x-slot: "${{user.slot}}", x-request: "${{user.iteration}}", x-agent: "${{agent.name}}" }}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(path, text, seconds=60):
    """The first line of the file that holds the text."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for line in path.read_text().splitlines():
            if text in line:
                return line
        time.sleep(0.02)
    sys.exit(f"`{text}` never came:\n{path.read_text()}")


class Fleet:
    """A target, a coordinator and three agents, in a directory of their own."""

    def __init__(self, directory, users, rate, seconds, latency):
        self.directory, self.processes = Path(directory), []
        port = free_port()
        self.target = f"http://127.0.0.1:{port}"
        self.start("target", "demo-target", "--listen", f"127.0.0.1:{port}", "--latency", f"*=constant {latency}")
        wait_for(self.log("target"), str(port))
        plan = self.directory / "plan.yaml"
        plan.write_text(PLAN.format(target=self.target, users=users, rate=rate, seconds=seconds))
        self.coordinator = self.start(
            "coordinator", "coordinator", plan, "--expect-agents", "3", "--listen", "127.0.0.1:0", "--no-ui"
        )
        address = wait_for(self.log("coordinator"), "agent --coordinator ").split("agent --coordinator ")[1].split()[0]
        self.agents = {
            name: self.start(name, "agent", "--coordinator", address, "--name", name, "--threads", "1") for name in "abc"
        }

    def log(self, name):
        return self.directory / f"{name}.log"

    def start(self, name, program, *arguments):
        with self.log(name).open("w") as log:
            process = subprocess.Popen([BIN / program, *arguments], cwd=self.directory, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def truth(self):
        """Requests, with the times at which they came and ended on this process's clock."""
        with urllib.request.urlopen(f"{self.target}/truth/users") as answer:
            now = time.monotonic()
            truth = json.load(answer)
        if truth["forgotten"]:
            sys.exit(f"the target forgot {truth['forgotten']} requests; make the run shorter")
        origin = now - truth["now_us"] / 1e6
        for request in truth["requests"]:
            request["at"] = origin + request["at_us"] / 1e6
            request["ended"] = origin + (request["ended_us"] or truth["now_us"]) / 1e6
        return truth["requests"]

    def report(self):
        (path,) = self.directory.glob("reports/*/report.json")
        return json.loads(path.read_text())

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


def most_at_once(requests, gone):
    """The most users that were there at once: each from its first request on one agent to its last one there."""
    spans = {}
    for request in requests:
        span = spans.setdefault((request["slot"], request["agent"]), [request["at"], request["ended"]])
        span[1] = max(span[1], request["ended"])
    # Users of the agent that was killed ended with it.
    ends = lambda agent, last: min(last, gone[agent]) if agent in gone else last
    edges = sorted(
        edge for (_, agent), (first, last) in spans.items() for edge in [(first, 1), (ends(agent, last), -1)]
    )
    most = now = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most


def kill(arguments):
    rows = []
    for _ in range(arguments.rounds):
        ramp = arguments.users / arguments.spawn_rate
        with tempfile.TemporaryDirectory() as directory:
            fleet = Fleet(directory, arguments.users, arguments.spawn_rate, int(2 * ramp + 14), "10ms")
            try:
                wait_for(fleet.log("coordinator"), f"users {arguments.users}/{arguments.users}", ramp + 60)
                time.sleep(1)
                killed = time.monotonic()
                fleet.agents["b"].send_signal(signal.SIGKILL)
                fleet.coordinator.wait()
                requests, report = fleet.truth(), fleet.report()
            finally:
                fleet.end()
        last = {}
        restarts = {}
        for request in requests:
            if request["agent"] == "b":
                last[request["slot"]] = request["ended"]
            elif request["slot"] in last and request["slot"] not in restarts:
                restarts[request["slot"]] = request["at"]
        starts = sorted(restarts.values())
        gaps = [b - a for a, b in zip(starts, starts[1:])]
        row = {
            "missing (report)": report["users"]["missing_user_seconds"],
            "missing (target)": sum(restarts[slot] - min(last[slot], killed) for slot in restarts),
            "most at once": most_at_once(requests, {"b": killed}),
            "moved": len(restarts),
            "full again s": starts[-1] - killed if starts else float("nan"),
            "shortest gap ms": 1e3 * min(gaps) if gaps else float("nan"),
            "restarts s": starts[-1] - starts[0] if starts else float("nan"),
        }
        rows.append(row)
        print("  ".join(f"{name} {value:.2f}" for name, value in row.items()), flush=True)
        expected = (len(starts) - 1) / arguments.spawn_rate
        if row["most at once"] > arguments.users or row["restarts s"] < 0.9 * expected - 0.05:
            sys.exit("more load than was asked for")
    for name in ["missing (report)", "missing (target)", "full again s"]:
        values = [row[name] for row in rows]
        print(f"{name}: median {statistics.median(values):.1f}, worst {max(values):.1f}")


def stop(arguments):
    lasts, ends = [], []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as directory:
            fleet = Fleet(directory, arguments.users, 1000, 60, "500ms")
            try:
                wait_for(fleet.log("coordinator"), "00:03 /")
                fleet.coordinator.send_signal(signal.SIGINT)
                wait_for(fleet.log("coordinator"), "stopping")
                fleet.coordinator.send_signal(signal.SIGINT)
                stopped = time.monotonic()
                fleet.coordinator.wait()
                ended = time.monotonic()
                # Longer than any lease.
                time.sleep(5)
                requests = fleet.truth()
                books = fleet.report()["accounting"]["status"]
            finally:
                fleet.end()
        lasts.append(max(request["at"] for request in requests) - stopped)
        ends.append(ended - stopped)
        open_after = max(request["ended"] for request in requests) - stopped
        print(
            f"last request {1e3 * lasts[-1]:+.0f} ms, last one closed {1e3 * open_after:+.0f} ms, "
            f"coordinator ended {1e3 * ends[-1]:.0f} ms after the second signal; accounting {books}",
            flush=True,
        )
    print(f"last request: worst {1e3 * max(lasts):+.0f} ms; coordinator's end: worst {1e3 * max(ends):.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    killing = commands.add_parser("kill")
    killing.add_argument("--rounds", type=int, default=5)
    killing.add_argument("--users", type=int, default=30)
    killing.add_argument("--spawn-rate", type=int, default=10)
    stopping = commands.add_parser("stop")
    stopping.add_argument("--rounds", type=int, default=5)
    stopping.add_argument("--users", type=int, default=300)
    arguments = parser.parse_args()
    {"kill": kill, "stop": stop}[arguments.command](arguments)


if __name__ == "__main__":
    main()
