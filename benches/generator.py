#!/usr/bin/env python3
"""What the generator costs: CPU per request beside other generators, memory per connected user and per WebSocket.

    benches/generator.py cpu        [--seconds 10] [--rounds 5] [--users 50]
    benches/generator.py memory     [--users 8000]
    benches/generator.py websocket  [--connections 5000]

The target is nginx where it is installed, else demo-target (for WebSockets always that); it runs on the last core, the generators one after the
other on the first one, round by round, so that all of them see the same machine. Compared is user plus system time of
the whole process (for Muster: coordinator and embedded agent), divided by the requests that it says it made. Only the
generators that are installed take part: wrk, oha, k6, locust, and Goose once its plans are built:

    cargo build --release --manifest-path benches/goose/Cargo.toml

GOOSE_BENCH may name another place of that program. Nothing leaves the machine.
"""

import argparse
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
GOOSE = Path(os.environ.get("GOOSE_BENCH", ROOT / "benches/goose/target/release/goose-bench"))
BODY = '{"id":7,"state":"done","items":[1,2,3],"access_token":"abcdef0123456789"}'


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Target:
    """A server that answers every request at once."""

    def __init__(self, directory, websocket=False):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        last = os.cpu_count() - 1
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if nginx and not websocket:
            config = Path(directory) / "nginx.conf"
            config.write_text(
                f"daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/error.log;\n"
                "worker_rlimit_nofile 20000; events { worker_connections 10000; }\n"
                "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600;\n"
                f"client_body_temp_path {directory}; server {{ listen 127.0.0.1:{self.port} backlog=4096;\n"
                f"location / {{ default_type application/json; return 200 '{BODY}'; }} }} }}\n"
            )
            command, self.name, self.path = [nginx, "-c", str(config), "-p", directory], "nginx", "/items"
        else:
            command = [RELEASE / "demo-target", "--listen", f"127.0.0.1:{self.port}", "--latency", "*=constant 0s"]
            self.name, self.path = "demo-target", "/api/v1/auth/health"
        self.process = subprocess.Popen(
            command, preexec_fn=pinned(last), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{self.name} does not answer")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def cost(command, seconds):
    """Runs it on the first core; its output and the CPU seconds of it and its children."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=pinned(0))
    output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    return output, usage.ru_utime + usage.ru_stime


PLAN = """version: 1
name: bench
target: {url}
load: {{ users: {users}, duration: {seconds}s, stop_timeout: 2s }}
users:
  U:
    tasks:
{tasks}
"""
ONE_GET = "      get: {{ get: {path} }}"
REALISTIC = """      list: {{ weight: 3, get: "/items?page=${{rand(1, 100)}}", expect: {{ status: 200, that: "json.id > 0" }} }}
      create:
        weight: 2
        post: /items
        json: {{ name: "${{fake.word()}}", n: "${{rand(1, 1000)}}" }}
        expect: {{ status: 200, json: {{ $.state: done }} }}
        save: {{ id: $.id }}
      login:
        post: /login
        json: {{ user: "user-${{user.slot}}", attempt: "${{user.iteration}}" }}
        expect: {{ status: 200, that: "json.access_token | length > 4" }}
        save: {{ token: $.access_token }}
"""
LOCUST = """import random
from locust import FastHttpUser, task

class U(FastHttpUser):
    @task(3)
    def list(self):
        with self.client.get(f"/items?page={random.randint(1, 100)}", name="/items", catch_response=True) as r:
            if r.status_code != 200 or r.json()["id"] <= 0: r.failure("bad")
    @task(2)
    def create(self):
        body = {"name": random.choice(["a", "b"]), "n": random.randint(1, 1000)}
        with self.client.post("/items", json=body, catch_response=True) as r:
            if r.status_code != 200 or r.json()["state"] != "done": r.failure("bad")
            self.id = r.json()["id"]
    @task
    def login(self):
        with self.client.post("/login", json={"user": "user-7", "attempt": 1}, catch_response=True) as r:
            if r.status_code != 200 or len(r.json()["access_token"]) <= 4: r.failure("bad")
            self.token = r.json()["access_token"]
"""
LOCUST_GET = """from locust import FastHttpUser, task

class U(FastHttpUser):
    @task
    def get(self): self.client.get("PATH")
"""
K6 = """import http from 'k6/http';
import { check } from 'k6';
const json = { headers: { 'content-type': 'application/json' } };
export default function () {
  const pick = Math.random() * 6;
  if (pick < 3) {
    check(http.get(`URL/items?page=${1 + Math.floor(Math.random() * 100)}`, { tags: { name: '/items' } }),
      { ok: (r) => r.status === 200 && r.json('id') > 0 });
  } else if (pick < 5) {
    const r = http.post('URL/items', JSON.stringify({ name: 'a', n: Math.floor(Math.random() * 1000) }), json);
    check(r, { ok: (r) => r.status === 200 && r.json('state') === 'done' });
    r.json('id');
  } else {
    const r = http.post('URL/login', JSON.stringify({ user: `user-${__VU}`, attempt: __ITER }), json);
    check(r, { ok: (r) => r.status === 200 && r.json('access_token').length > 4 });
    r.json('access_token');
  }
}
"""
K6_GET = "import http from 'k6/http';\nexport default function () { http.get('URLPATH'); }\n"


def muster(directory, target, users, seconds, tasks):
    plan = Path(directory) / "plan.yaml"
    plan.write_text(PLAN.format(url=target.url, users=users, seconds=seconds, tasks=tasks.format(path=target.path)))
    reports = Path(directory) / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    output, cpu = cost([RELEASE / "coordinator", plan, "--listen", "127.0.0.1:0", "--report-dir", reports], seconds)
    files = list(reports.glob("*/report.json"))
    if not files:
        sys.exit(output)
    report = json.loads(files[0].read_text())
    if report["totals"]["failures"]:
        sys.exit(f"{report['totals']['failures']} requests failed\n{output}")
    return report["totals"]["requests"], cpu


def wrk(directory, target, users, seconds):
    output, cpu = cost(["wrk", "-t1", f"-c{users}", f"-d{seconds}s", target.url + target.path], seconds)
    return int(re.search(r"(\d+) requests in", output)[1]), cpu


def oha(directory, target, users, seconds):
    command = ["oha", "--no-tui", "--output-format", "json", "-c", users, "-z", f"{seconds}s", target.url + target.path]
    output, cpu = cost([str(word) for word in command], seconds)
    return sum(json.loads(output[output.index("{"):])["statusCodeDistribution"].values()), cpu


def locust(directory, target, users, seconds, script):
    file = Path(directory) / "locustfile.py"
    file.write_text(script.replace("PATH", target.path))
    command = [shutil.which("locust"), "-f", file, "--headless", "-u", users, "-r", users, "-t", f"{seconds}s",
               "--host", target.url, "--csv", f"{directory}/locust", "--only-summary"]
    output, cpu = cost([str(word) for word in command], seconds)
    lines = Path(f"{directory}/locust_stats.csv").read_text().splitlines()
    column = lines[0].split(",").index("Request Count")
    return int(next(line for line in lines if "Aggregated" in line).split(",")[column]), cpu


def k6(directory, target, users, seconds, script):
    file = Path(directory) / "script.js"
    file.write_text(script.replace("URL", target.url).replace("PATH", target.path))
    summary = Path(directory) / "k6.json"
    command = ["k6", "run", "--quiet", "--vus", users, "--duration", f"{seconds}s", "--summary-export", summary, file]
    cost_of = cost([str(word) for word in command], seconds)
    return json.loads(summary.read_text())["metrics"]["http_reqs"]["count"], cost_of[1]


def goose(directory, target, users, seconds, plan):
    command = [GOOSE, plan, target.path, "--host", target.url, "--users", users, "--increase-rate", users,
               "--run-time", f"{seconds}s", "--no-print-metrics", "-q"]
    output, cpu = cost([str(word) for word in command], seconds)
    good, bad = re.search(r"(\d+) good requests, (\d+) bad", output).groups()
    if int(bad):
        sys.exit(f"goose: {bad} requests failed\n{output}")
    return int(good), cpu


def generators(scenario):
    """Those that are installed, Muster first."""
    one = scenario == "one keep-alive GET"
    found = {"muster": lambda *a: muster(*a, ONE_GET if one else REALISTIC)}
    if one and shutil.which("wrk"):
        found["wrk"] = wrk
    if one and shutil.which("oha"):
        found["oha"] = oha
    if GOOSE.exists():
        found["goose"] = lambda *a: goose(*a, "get" if one else "realistic")
    if shutil.which("k6"):
        found["k6"] = lambda *a: k6(*a, K6_GET if one else K6)
    if shutil.which("locust"):
        found["locust"] = lambda *a: locust(*a, LOCUST_GET if one else LOCUST)
    return found


def cpu(arguments):
    for scenario in ["one keep-alive GET", "realistic plan"]:
        with tempfile.TemporaryDirectory() as directory, Target(directory) as target:
            if scenario == "realistic plan" and target.name != "nginx":
                print("realistic plan: skipped, it needs nginx")
                continue
            costs = {}
            for _ in range(arguments.rounds):
                for name, run in generators(scenario).items():
                    requests, seconds = run(directory, target, arguments.users, arguments.seconds)
                    costs.setdefault(name, []).append(seconds / requests * 1e6)
            base = statistics.median(costs["muster"])
            print(f"{scenario}, {arguments.users} users, {target.name}: CPU per request, median of {arguments.rounds}")
            for name, values in costs.items():
                middle = statistics.median(values)
                print(f"  {name:8} {middle:7.2f} us   muster / {name} = {base / middle:.2f}   "
                      f"({min(values):.2f} to {max(values):.2f})")


def resident(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def memory(arguments):
    raise_limit()
    sizes = {}
    with tempfile.TemporaryDirectory() as directory, Target(directory) as target:
        for users in [arguments.users // 100, arguments.users]:
            plan = Path(directory) / "plan.yaml"
            tasks = f"      get: {{ get: {target.path} }}"
            text = PLAN.format(url=target.url, users=users, seconds=30, tasks=tasks)
            plan.write_text(text.replace("    tasks:", "    wait: 2s..4s\n    tasks:"))
            process = subprocess.Popen([RELEASE / "coordinator", plan, "--listen", "127.0.0.1:0", "--report-dir", directory],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(20)
            sockets = sum("socket" in os.readlink(f.path) for f in os.scandir(f"/proc/{process.pid}/fd")
                          if os.path.lexists(f.path))
            sizes[users] = resident(process.pid)
            print(f"  {users} users: {sizes[users]} KiB resident, {sockets} sockets")
            process.wait()
    (few, small), (many, large) = sorted(sizes.items())
    print(f"memory per connected user: {(large - small) / (many - few):.1f} KiB")


WEBSOCKET = """version: 1
name: websockets
target: {url}
load: {{ users: {users}, spawn_rate: 500/s, hold: 25s, stop_timeout: 10s }}
users:
  U:
    tasks:
      talk:
        websocket: "/ws/${{user.slot}}"
        name: ws
        messages:
          - repeat: 1000
            steps:
              - send: {{ id: "${{user.slot}}", task: "Print exactly: MARKER_${{user.slot}}" }}
              - receive: {{ name: answer, until: message.event_type == 'complete' and message.id == sent.id }}
              - think: 5s..15s
        isolation: {{ pattern: "MARKER_[0-9]+", only: "MARKER_${{user.slot}}" }}
"""


def websocket(arguments):
    raise_limit()
    sizes = {}
    with tempfile.TemporaryDirectory() as directory, Target(directory, websocket=True) as target:
        for users in [arguments.connections // 50, arguments.connections]:
            plan, reports = Path(directory) / "plan.yaml", Path(directory) / f"reports-{users}"
            plan.write_text(WEBSOCKET.format(url=target.url, users=users))
            command = [RELEASE / "coordinator", plan, "--listen", "127.0.0.1:0", "--report-dir", reports, "--no-ui"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            time.sleep(users / 500 + 15)
            sizes[users] = resident(process.pid)
            output, _ = process.communicate()
            report = json.loads(next(reports.glob("*/report.json")).read_text())
            agent, totals = report["generator"]["agents"][0], report["totals"]
            rows = {row["name"]: row["latency_ms"] for row in report["requests"]}
            times = [f"{name} p50 {rows[name]['p50']} ms, p99 {rows[name]['p99']} ms, max {rows[name]['max']} ms"
                     for name in ["ws", "ws / answer"]]
            failures = sum(error["count"] for error in report["errors"])
            print(f"  {agent['connections']} of {users} connections: {'; '.join(times)}")
            print(f"    {totals['requests']} handshakes, {totals['messages_sent']} messages sent, "
                  f"{totals['messages_received']} received, {failures} failures; generator {agent['status']}")
            print(f"    {sizes[users]} KiB resident; the report says {agent['memory_growth_per_connection']} B for each")
            if failures:
                print(output.decode(errors="replace"))
    (few, small), (many, large) = sorted(sizes.items())
    print(f"memory per WebSocket connection: {(large - small) / (many - few):.1f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    one = what.add_parser("cpu")
    one.add_argument("--seconds", type=int, default=10)
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--users", type=int, default=50)
    two = what.add_parser("memory")
    two.add_argument("--users", type=int, default=8000)
    three = what.add_parser("websocket")
    three.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--no-build", action="store_true", help="measure the release build that is there")
    arguments = parser.parse_args()
    if not arguments.no_build:
        subprocess.run(["cargo", "build", "--release", "--bins"], cwd=ROOT, check=True)
    {"cpu": cpu, "memory": memory, "websocket": websocket}[arguments.what](arguments)


if __name__ == "__main__":
    main()
