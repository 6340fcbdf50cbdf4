#!/usr/bin/env bash
# One load test as a step of GitHub Actions: agents on this machine, the run, its outputs, and the exit code of the coordinator.
#
# Every LOAD_TEST_ variable goes to the coordinator (LOAD_TEST_PLAN, _HOST, _PROFILE, _USERS, _DURATION, ...). Beside those:
#
#   MUSTER_BIN            directory of `coordinator` and `agent` (default: the PATH)
#   MUSTER_AGENTS         agents to start on this machine (2); 0 for the one that is embedded in the coordinator
#   MUSTER_ALLOW_TARGET   where they may connect (default: loopback, private, and host and port of LOAD_TEST_HOST)
#   MUSTER_ARGS           further flags of the coordinator, one a line
#   MUSTER_BASELINE       `last`: the last good run of this name; `none`; the number of a workflow run; or a report.json (last)
#   MUSTER_BASELINE_NAME  name of the artifact that holds the report of a good run (load-test-baseline)
#
# Outputs are the coordinator's (verdict, exit_code, report_dir, p95_ms, ..., baseline), and:
#
#   good   true if later runs may be compared with this one: it passed, and was no worse than its own baseline
#   logs   directory of what the agents said
#
# Where the coordinator made no report (a wrong plan, agents that did not come), verdict is `error`, and annotation and step
# summary say why.
#
# Traps call functions (SC2317), and backticks are Markdown (SC2016).
# shellcheck disable=SC2317,SC2016
set -euo pipefail

annotate() {
    local text=${3//'%'/%25}
    text=${text//$'\r'/%0D}
    printf '::%s title=%s::%s\n' "$1" "$2" "${text//$'\n'/%0A}"
}
wrong() {
    annotate error 'Load test' "$1"
    { echo verdict=error; echo exit_code=2; echo good=false; } >>"${GITHUB_OUTPUT:-/dev/null}"
    printf '## ❌ Load test: error\n\n%s\n' "$1" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
    exit 2
}
program() {
    local path
    path=${MUSTER_BIN:+$MUSTER_BIN/}$1
    command -v "$path" || wrong "there is no program $path; set bin-dir to the directory that has it, or version to a release"
}

# An input that is left empty is a variable that is not set.
for variable in "${!LOAD_TEST_@}"; do [ -n "${!variable}" ] || unset "$variable"; done
coordinator=$(program coordinator) || { echo "$coordinator"; exit 2; }
agent=$(program agent) || { echo "$agent"; exit 2; }
agents=${MUSTER_AGENTS:-2}
[[ $agents =~ ^[0-9]{1,3}$ ]] || wrong "agents: \`$agents\` is no number of agents; write 0 to 999"
baseline=${MUSTER_BASELINE:-last}
name=${MUSTER_BASELINE_NAME:-load-test-baseline}
export LOAD_TEST_REPORT_DIR=${LOAD_TEST_REPORT_DIR:-reports}
# The line that says where agents dial is read below.
unset LOAD_TEST_QUIET

work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/muster.XXXXXX")
logs=$work/logs
mkdir "$logs"
running=() pid=''
finish() {
    local one
    for one in ${pid:+"$pid"} ${running[@]+"${running[@]}"}; do kill "$one" 2>/dev/null || true; done
    wait || true
    rm -rf "$work/baseline" "$work/output" "$work/said"
}
trap finish EXIT

# Downloads the artifact `name` of workflow run $1 to baseline/.
fetch() { gh run download "$1" --repo "$GITHUB_REPOSITORY" --name "$name" --dir "$work/baseline" >&2; }

args=() found=''
case $baseline in
    none | '') ;;
    last)
        # The newest that was made by a run of this repository on its default branch, or on the one that is tested.
        query='[.artifacts[] | select(.expired | not) | .workflow_run | select(.head_repository_id == .repository_id)
            | select(.head_branch == env.BRANCH or .head_branch == env.GITHUB_REF_NAME)][0].id // empty'
        if ! command -v gh >/dev/null; then
            annotate warning 'Load test' 'there is no gh on this machine, so the run is compared with none before'
        elif ! found=$(BRANCH=${MUSTER_DEFAULT_BRANCH:-main} gh api --jq "$query" \
            "repos/$GITHUB_REPOSITORY/actions/artifacts?name=$name&per_page=100"); then
            annotate warning 'Load test' "artifacts cannot be listed (permissions: actions: read), so the run is compared with none before"
        elif [ -z "$found" ]; then
            echo "there is no good run of the name $name yet: this one is compared with none"
        elif ! fetch "$found"; then
            annotate warning 'Load test' "the artifact $name of run $found cannot be downloaded, so the run is compared with none before"
            found=''
        fi ;;
    *[!0-9]*)
        [ -e "$baseline" ] || wrong "baseline: \`$baseline\` is not there; write last, none, the number of a workflow run, or a report.json"
        args+=("--baseline=$baseline") ;;
    *)
        fetch "$baseline" || wrong "baseline: workflow run $baseline has no artifact $name that can be downloaded"
        found=$baseline ;;
esac
if [ -n "$found" ]; then
    echo "compared with workflow run $found"
    args+=("--baseline=$work/baseline/report.json")
fi
args+=("--expect-agents=$agents")
while IFS= read -r flag; do
    [ -z "$flag" ] || args+=("$flag")
done <<<"${MUSTER_ARGS:-}"

allow=${MUSTER_ALLOW_TARGET:-}
if [ -z "$allow" ]; then
    allow=loopback,private
    if [ -n "${LOAD_TEST_HOST:-}" ]; then
        host=${LOAD_TEST_HOST#*://}
        host=${host%%[/?#]*}
        host=${host##*@}
        port=80
        case $LOAD_TEST_HOST in https://*) port=443 ;; esac
        [[ $host =~ ^(.*[^:]):([0-9]+)$ && ($host != *:*:* || $host == *]:*) ]] && host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
        allow+=",$host:$port"
    fi
fi

# The coordinator's outputs are read before they are handed on; what it says goes to the step's log, and to a file.
: >"$work/output"
mkfifo "$work/said"
tee "$logs/coordinator.log" <"$work/said" >&2 &
tee=$!
GITHUB_OUTPUT=$work/output "$coordinator" "${args[@]}" 2>"$work/said" &
pid=$!
# A workflow that is cancelled: users finish their iterations, and the report is written.
trap 'kill "$pid" 2>/dev/null || true' INT TERM

if [ "$agents" -gt 0 ]; then
    address=''
    while [ -z "$address" ] && kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
        address=$(sed -n 's/.*waiting for [0-9]* agents\{0,1\} on \([^;]*\);.*/\1/p' "$logs/coordinator.log" | head -n 1)
    done
    for ((i = 1; i <= agents && ${#address} > 0; i++)); do
        LOAD_TEST_ALLOW_TARGET=$allow "$agent" --coordinator="$address" --name="agent-$i" --spool-dir="$work/spool" \
            --log-format=text 2>"$logs/agent-$i.log" &
        running+=($!)
    done
fi

code=0
while true; do
    code=0
    wait "$pid" || code=$?
    # A signal ends `wait`, not the coordinator.
    kill -0 "$pid" 2>/dev/null || break
done
pid=''
wait "$tee" || true

outcome=$(sed -n 's/^baseline=//p' "$work/output")
good=false
[ "$code" != 0 ] || [ "$outcome" = regression ] || good=true
if ! grep -q '^verdict=' "$work/output"; then
    printf 'verdict=error\nexit_code=%s\n' "$code" >>"$work/output"
    case $code in
        2) why='a flag or variable is wrong' ;;
        3) why='the plan or its data is invalid, or the baseline cannot be used' ;;
        4) why='agents are missing, or refused the run' ;;
        130) why='it was interrupted' ;;
        *) why='an error' ;;
    esac
    last=$(tail -n 20 "$logs/coordinator.log")
    annotate error 'Load test did not run' "exit code $code ($why): $(grep -m 1 '^error' <<<"$last" || tail -n 1 <<<"$last")"
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
        {
            printf '## Load test did not run\n\nExit code %s: %s.\n\n' "$code" "$why"
            printf '    %s\n' "${last//$'\n'/$'\n'    }"
            [ "$code" != 3 ] || [ -z "$found" ] || printf '\nIf the plan got another name, run it once with the baseline `none`.\n'
        } >>"$GITHUB_STEP_SUMMARY"
    fi
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    cat "$work/output" >>"$GITHUB_OUTPUT"
    printf 'good=%s\nlogs=%s\n' "$good" "$logs" >>"$GITHUB_OUTPUT"
fi
exit "$code"
