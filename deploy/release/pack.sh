#!/usr/bin/env bash
# Packs the programs of one platform for a release: pack.sh v0.1.0 TARGET DIRECTORY. DIRECTORY (dist) gets
# muster-v0.1.0-TARGET.tar.gz, or .zip for Windows, with programs, README, CHANGELOG, a plan, and for Linux the service.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { printf 'error: %s\n' "$1" >&2; exit 1; }
[ $# -ge 2 ] || fail 'write the tag and the target: pack.sh v0.1.0 x86_64-unknown-linux-musl'
tag=$1 target=$2 dist=${3:-dist}
from=${CARGO_TARGET_DIR:-target}/$target/release
suffix=
case $target in *windows*) suffix=.exe ;; esac
mkdir -p "$dist"
dist=$(cd "$dist" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
for name in coordinator agent demo-target; do
    [ -f "$from/$name$suffix" ] || fail "$from/$name$suffix is not there; build it with: cargo build --release --locked --target $target"
    case $target in
        *linux*)
            headers=$(readelf -lW "$from/$name") || fail "$from/$name is no program for Linux"
            case $headers in *INTERP*) fail "$from/$name is not static; build it for a musl target" ;; esac ;;
    esac
    cp "$from/$name$suffix" "$stage/"
done
cp -R README.md CHANGELOG.md examples "$stage/"
case $target in *linux*) cp deploy/systemd/muster-agent.service "$stage/" ;; esac
name=muster-$tag-$target
case $target in
    *windows*)
        # Runners with Windows have 7-Zip and no zip.
        if command -v 7z >/dev/null; then zip=(7z a -bso0); else zip=(python3 -m zipfile -c); fi
        rm -f "$dist/$name.zip"
        (cd "$stage" && "${zip[@]}" "$dist/$name.zip" ./*)
        echo "$dist/$name.zip" ;;
    *) tar -C "$stage" -czf "$dist/$name.tar.gz" . && echo "$dist/$name.tar.gz" ;;
esac
