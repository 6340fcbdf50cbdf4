#!/usr/bin/env bash
# One agent for one run, as a job of GitHub Actions whose runner reaches the coordinator's: it starts the agent, and ends it
# when the run is over.
#
#   LOAD_TEST_COORDINATOR, LOAD_TEST_JOIN, LOAD_TEST_ALLOW_TARGET, ...   as `agent --help` says
#   MUSTER_BIN       directory of `agent` (default: the PATH)
#   MUSTER_PATIENCE  how many seconds to wait for a run to begin (600)
#
# Exit codes: 0 a run was served, 4 none began in time or the coordinator refused the agent, 2 wrong usage.
set -euo pipefail

# An input that is left empty is a variable that is not set.
for variable in "${!LOAD_TEST_@}"; do [ -n "${!variable}" ] || unset "$variable"; done
patience=${MUSTER_PATIENCE:-600}
[[ $patience =~ ^[0-9]{1,6}$ ]] || { echo "::error::MUSTER_PATIENCE: \`$patience\` is no number of seconds; write 600, say"; exit 2; }
work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/muster.XXXXXX")
mkfifo "$work/said"
"${MUSTER_BIN:+$MUSTER_BIN/}agent" --log-format=text 2>"$work/said" &
agent=$!
trap 'kill "$agent" 2>/dev/null || true' INT TERM
trap 'kill "$agent" 2>/dev/null || true; rm -rf "$work"' EXIT

began='' SECONDS=0
exec 3<"$work/said"
while true; do
    line=''
    if IFS= read -r -t 1 line <&3; then
        echo "$line"
    else
        # 1: the agent has closed its end; more: nothing was said for a second.
        [ $? -gt 128 ] || break
    fi
    case $line in
        'run '*' begins, '*) began=yes ;;
        # A coordinator that is there for the next run keeps the stream; one that ends does not.
        'detached from '*'waiting for the next run') [ -z "$began" ] || break ;;
    esac
    if [ -z "$began" ] && [ "$SECONDS" -ge "$patience" ]; then
        echo "::error title=Agent::no run began within $patience s; see whether the coordinator's job waits for agents, and where"
        break
    fi
done
kill "$agent" 2>/dev/null || true
cat <&3
code=0
wait "$agent" || code=$?
[ "$code" != 0 ] || [ -n "$began" ] || code=4
exit "$code"
