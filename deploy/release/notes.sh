#!/usr/bin/env bash
# Prints the section of CHANGELOG.md that a tag releases: notes.sh v0.1.0. The tag, the version of Cargo.toml and a heading
# `## 0.1.0` (a date may follow) have to agree.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { printf 'error: %s\n' "$1" >&2; exit 1; }
tag=${1:-}
[[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "\`$tag\` is no tag of a release; write v and the version, as in v0.1.0"
version=${tag#v}
cargo=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
[ "$version" = "$cargo" ] || fail "the tag is $tag, the version in Cargo.toml is $cargo; tag v$cargo, or set the version and commit"
notes=$(awk -v version="$version" '
    /^## / { inside = ($2 == version || $2 == "[" version "]"); next }
    inside' CHANGELOG.md)
notes=$(sed -e '/./,$!d' <<<"$notes")
[ -n "$notes" ] || fail "CHANGELOG.md says nothing of $version; give what is under \`## Unreleased\` the heading \`## $version\`"
printf '%s\n' "$notes"
