# Shared by the recipes: where things go, what is said, and how a step is made all-or-nothing.

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/bongsu"

say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'tests/real/install: %s\n' "$*" >&2; exit 1; }

# complete FOLDER RECIPE: the folder was finished, and by this very recipe (a changed one builds anew).
complete() { [[ -f $1/.recipe && $(<"$1/.recipe") == "$2" ]]; }

# A killed run leaves its staging folders; nothing else uses that name, and the lock is ours.
sweep_leftovers() {
    chmod -R u+w "$CACHE"/.staging.* 2>/dev/null || true
    rm -rf "$CACHE"/.staging.*
}

# publish STAGING FOLDER RECIPE: the one moment at which an install starts to count.
publish() {
    printf '%s\n' "$3" >"$1/.recipe"
    rm -rf "$2"
    mv "$1" "$2"
}

# run_step NAME: runs NAME_install with its output in a log, says what happens and, while it lasts, that it goes on.
run_step() {
    local name=$1 function="${1//-/_}_install" log="$CACHE/logs/$1.log" started=$SECONDS pulse status=0
    say "$name: $("${name//-/_}_announce")"
    (
        trap 'kill "$nap" 2>/dev/null; exit 0' TERM
        while :; do
            sleep 30 & nap=$!
            wait "$nap"
            say "$name: still at it after $((SECONDS - started))s"
        done
    ) &
    pulse=$!
    # A subshell of its own, so that errexit holds inside of the recipe.
    set +e
    (set -e; "$function") >"$log" 2>&1
    status=$?
    set -e
    kill "$pulse" 2>/dev/null || true
    wait "$pulse" 2>/dev/null || true
    if ((status != 0)); then
        say "$name: FAILED after $((SECONDS - started))s, the end of $log:"
        tail -n 25 "$log" | sed 's/^/    /' >&2
        return 1
    fi
    say "$name: done in $((SECONDS - started))s"
}

staging() { mktemp -d "$CACHE/.staging.$1.XXXXXX"; }

# version_at_least HAVE WANT
version_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

nicely() { nice -n 10 "$@"; }
