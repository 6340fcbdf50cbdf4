#!/usr/bin/env bash
# Takes the programs of a release, looks at their checksums, and puts them on the PATH of the following steps.
#
#   MUSTER_REPOSITORY  OWNER/NAME that publishes releases
#   MUSTER_VERSION     tag of the release, `v0.1.0`, or `latest`
set -euo pipefail

fail() { echo "::error title=Load test::$1"; exit 1; }
case "$(uname -s) $(uname -m)" in
    'Linux x86_64') target=x86_64-unknown-linux-musl ;;
    'Linux aarch64') target=aarch64-unknown-linux-musl ;;
    'Darwin arm64') target=aarch64-apple-darwin ;;
    'Darwin x86_64') target=x86_64-apple-darwin ;;
    *) fail "this action installs programs on Linux and macOS alone, and this is $(uname -s) on $(uname -m); put them somewhere, and set bin-dir" ;;
esac
version=${MUSTER_VERSION:-latest}
[ "$version" = latest ] && version=$(gh release view --repo "$MUSTER_REPOSITORY" --json tagName --jq .tagName)
work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/muster-install.XXXXXX")
archive=muster-$version-$target.tar.gz
gh release download "$version" --repo "$MUSTER_REPOSITORY" --pattern "$archive" --pattern SHA256SUMS --dir "$work" ||
    fail "release $version of $MUSTER_REPOSITORY has no $archive with SHA256SUMS; see its releases"
cd "$work"
sums=$(grep " [ *]\{0,1\}$archive\$" SHA256SUMS) || fail "SHA256SUMS of release $version says nothing of $archive"
if command -v sha256sum >/dev/null; then check=(sha256sum); else check=(shasum -a 256); fi
"${check[@]}" --check --status <<<"$sums" || fail "$archive is not what SHA256SUMS of release $version says"
tar -xzf "$archive"
if ! [ -x coordinator ] || ! [ -x agent ]; then fail "$archive has no coordinator and agent"; fi
./coordinator --version
echo "$work" >>"$GITHUB_PATH"
