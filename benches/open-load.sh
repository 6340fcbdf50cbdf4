#!/usr/bin/env bash
# How late does an agent on half a core serve arrivals? Prints the start error of an open load, from the report.
#
#   benches/open-load.sh [RATE] [SECONDS]          5000 arrivals per second for 20 s
#
# The agent has one thread, is pinned to one core and is held to half of it by a control group where this user may make
# one (else the script says so, and the processor use tells how near half a core it came). Target and coordinator have
# the other cores. On a machine that is busy with other things, REALTIME=1 gives the agent the core before them, without
# the control group (real-time priority, as root). Needs taskset, jq and a built workspace: cargo build --release; PROFILE=debug takes the other one.
set -euo pipefail
cd "$(dirname "$0")/.."

rate=${1:-5000}
seconds=${2:-20}
bin=${CARGO_TARGET_DIR:-target}/${PROFILE:-release}
work=$(mktemp -d)
group=
pids=()

finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [[ -n $group ]]; then rmdir "$group" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

# Starts a program in the background, its first line of output that holds $1 becomes $line.
start() {
    local text=$1 log=$work/${#pids[@]}.log
    shift
    "$@" >"$log" 2>&1 &
    pids+=($!)
    for _ in $(seq 300); do
        if line=$(grep -m1 -e "$text" "$log"); then return; fi
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    exit 1
}

# Holds process $1 to half a core, if this user may.
half_a_core() {
    local root=/sys/fs/cgroup name=muster-open-load-$$
    if [[ -f $root/cgroup.controllers ]] && mkdir "$root/$name" 2>/dev/null; then
        group=$root/$name
        echo "50000 100000" >"$group/cpu.max" && echo "$1" >"$group/cgroup.procs" && return
    elif [[ -d $root/cpu ]] && mkdir "$root/cpu/$name" 2>/dev/null; then
        group=$root/cpu/$name
        echo 100000 >"$group/cpu.cfs_period_us" && echo 50000 >"$group/cpu.cfs_quota_us" &&
            echo "$1" >"$group/cgroup.procs" && return
    fi
    return 1
}

last=$(($(nproc) - 1))
others=0-$last
[[ $last -gt 0 ]] && others=1-$last

start "listening on" taskset -c "$others" "$bin/demo-target" --listen 127.0.0.1:0 --latency "auth/health=constant 1ms"
target=${line##* }

cat >"$work/plan.yaml" <<PLAN
version: 1
name: open load
target: $target
load: { arrivals: $rate/s, max_users: 500, duration: $((seconds + 5))s, warmup: 5s }
users: { Visitor: { tasks: { look: { get: /api/v1/auth/health } } } }
PLAN

start "agent --coordinator" taskset -c "$others" "$bin/coordinator" "$work/plan.yaml" --expect-agents 1 \
    --listen 127.0.0.1:0 --no-ui --report-dir "$work/reports"
coordinator=${pids[-1]}
address=${line##* }

first=()
[[ -n ${REALTIME:-} ]] && first=(chrt -f 10)
"${first[@]}" taskset -c 0 "$bin/agent" --coordinator "$address" --threads 1 >"$work/agent.log" 2>&1 &
agent=$!
pids+=("$agent")
if [[ -n ${REALTIME:-} ]]; then
    limit="one core, before all others"
elif half_a_core "$agent"; then
    limit="half a core (control group)"
else
    limit="one core (no control group could be made)"
fi

wait "$coordinator" || true
jq -r --arg limit "$limit" --arg cpu "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2)" '
    "processor:  \($cpu) ",
    "agent:      held to \($limit), used \(.generator.agents[0].cpu * 100 | round) % of a core",
    "arrivals:   \(.arrivals.scheduled) scheduled, \(.arrivals.started) started, \(.arrivals.dropped) dropped",
    "start error (ms): p50 \(.arrivals.start_error_ms.p50)  p90 \(.arrivals.start_error_ms.p90)  " +
        "p99 \(.arrivals.start_error_ms.p99)  max \(.arrivals.start_error_ms.max)",
    "latency (ms):     p50 \(.totals.latency_ms.p50)  p99 \(.totals.latency_ms.p99), of 1 ms in the target"
' "$work"/reports/*/report.json
