#!/usr/bin/env bash
# Run the tests, all or the named parts, and print how long each part took.
#
#   scripts/run_tests.sh                 everything, two parts at a time (LANES names another number)
#   scripts/run_tests.sh fast            what needs no nodes and runs no playbook (make test-fast), likewise
#   scripts/run_tests.sh changed main    the parts that a change since the revision main concerns, likewise
#   scripts/run_tests.sh lint units      these parts, one after the other
#   scripts/run_tests.sh molecule:base   one molecule scenario
#   scripts/run_tests.sh emulated        the scenarios that everything leaves out (make test-vm)
#
# tests/parts.yml says which parts there are, in which order they run, and what each is about.
#
# All parts run even when one fails; the exit status says whether any did, and the summary what failed in
# them. Of parts that run side by side, each one's output is printed when it ends. All output is kept in
# .cache/tests/ until the next run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/.venv/bin:$PATH" PY_COLORS=0 ANSIBLE_NOCOLOR=1 NO_COLOR=1 COLUMNS=160
logs=.cache/tests

lint() {
    yamllint --strict . &&
        ruff check . && ruff format --check . &&
        ansible-lint --offline --strict
}

types() { mypy python_modules; }

# Generated pages and role READMEs must be what their sources say.
docs() { PYTHONPATH=python_modules python scripts/generate_docs.py --check; }

# Tests of one file share what they read, so a file stays with one worker.
units() { python -m pytest tests/unit -m "not ansible" --numprocesses 2 --dist loadfile; }

# Plugins and playbooks under Ansible itself, on this machine.
plugins() { python -m pytest tests/unit -m ansible --numprocesses 2 --dist loadfile; }

# The report's page in headless Chromium; pictures of it stay in .cache/tests/screenshots.
page() { python -m pytest tests/page; }

# Compiled firewalls in the kernel, between network namespaces.
firewall() { python -m pytest tests/firewall; }

# The benchmark's model against a real PyTorch, in an environment of the nodes' own lock.
bench() { scripts/bootstrap.sh bench && .venv-bench/bin/python -m pytest tests/bench; }

# The TensorFlow backend against PyTorch. Both frameworks are large, so it is not part of everything.
tensorflow() {
    scripts/bootstrap.sh bench && scripts/bootstrap.sh tensorflow &&
        GPULAB_TORCH_PYTHON=$PWD/.venv-bench/bin/python \
            .venv-tensorflow/bin/python -m pytest tests/tensorflow
}

# What must also work on the other ansible-core that is supported.
second-core() { scripts/second_core.sh; }

# Whole runs with something broken in the middle.
runs() { python -m pytest tests/runs; }

# A failed scenario is left with its nodes by molecule; they must not outlive the test.
# One run of a scenario at a time: second-core has one of them, too.
molecule-scenario() { flock ".cache/molecule-$1.lock" molecule test --scenario-name "$1" --destroy always; }

# Fifty nodes, swept over SSH.
sweep() { python -m pytest tests/sweep -s; }

# What failed in a part, by what was printed: of pytest its closing lines, of Ansible the failed tasks.
# Molecule draws a line before what it passes on.
reasons() {
    sed 's/\x1b\[[0-9;]*m//g; s/^ *│ //' "$1" |
        grep -aE '^((FAILED|ERROR) [^ ]+\.py|\[ERROR\]: |fatal: \[)' | cut -c 1-240 | tail -n 12 | sed 's/^/    /'
}

# What pytest counted in a part, such as "28 passed".
counted() {
    sed 's/\x1b\[[0-9;]*m//g; s/^ *│ //' "$1" | sed -nE 's/^=+ ([0-9].*) in [0-9.]+s.*=$/\1/p' | tail -n 1
}

# The CPU time in s of all that this shell has waited for. Not in a subshell, which has no children of its own.
cpu_seconds() {
    times >"$logs/times.$$"
    awk -F '[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' "$logs/times.$$"
    rm "$logs/times.$$"
}

# Run one part; $line then says how it went: wall time, CPU time of what ran here (that of the sandbox's
# nodes is the engine's), and what pytest counted.
run_part() {
    local began=$SECONDS status log=$logs/$1.log before
    cpu_seconds >"$logs/cpu.$$" && before=$(<"$logs/cpu.$$")
    case $1 in
        molecule:*) molecule-scenario "${1#molecule:}" ;;
        lint | types | docs | units | plugins | page | firewall | bench | tensorflow | second-core | runs | sweep) "$1" ;;
        *) echo "there is no part $1" && false ;;
    esac 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    cpu_seconds >"$logs/cpu.$$"
    line=$(printf '%-25s %4d s %5d s CPU   %s' "$1" $((SECONDS - began)) $(($(<"$logs/cpu.$$") - before)) \
        "$([ "$status" = 0 ] && echo "passed   $(counted "$log")" || { echo "FAILED ($status)" && reasons "$log"; })")
    rm "$logs/cpu.$$"
    return "$status"
}

# One part of several that run side by side: called by xargs below.
if [ "${1:-}" = --side-by-side ]; then
    echo "=== $2: started"
    run_part "$2" >/dev/null
    status=$?
    echo "$line" >>"$logs/summary"
    flock "$logs" -c "printf '\n=== %s\n' '$2'; cat '$logs/$2.log'"
    # Of 255 xargs would make an end of all.
    exit $((status != 0))
fi

# Run the parts whose names are read, as many at a time as the first word says.
in_lanes() { xargs --no-run-if-empty -n 1 -P "$1" scripts/run_tests.sh --side-by-side; }

# Each systemd in a container takes some of root's inotify instances, of which Linux gives 128. Without one it
# ends at once, and so would the nodes of two scenarios side by side.
instances=/proc/sys/fs/inotify/max_user_instances
if [ "$(cat $instances)" -lt 1024 ]; then
    { [ -w $instances ] && echo 1024 >$instances; } || echo 1024 | sudo -n tee $instances >/dev/null
fi

rm -rf "$logs" && mkdir -p "$logs" || exit
summary='' failed=0
case "$*" in
    '' | fast | changed\ ?*)
        case "$*" in
            '') parts=$(scripts/parts.py group everything computes) waiting=$(scripts/parts.py group everything waits) ;;
            fast) parts=$(scripts/parts.py group fast) waiting='' ;;
            *) parts=$(scripts/parts.py changed "$2") waiting='' ;;
        esac || exit
        [ $# != 0 ] || echo "=== not among these: $(scripts/parts.py group emulated | paste -sd ' ') (make test-vm)"
        # What waits more than it computes has a lane of its own beside the others.
        in_lanes 1 <<<"$waiting" &
        in_lanes "${LANES:-2}" <<<"$parts" || failed=1
        wait "$!" || failed=1
        summary=$(cat "$logs/summary" 2>/dev/null)
        ;;
    *)
        [ "$*" != emulated ] || mapfile -t parts < <(scripts/parts.py group emulated)
        [ "$*" = emulated ] || parts=("$@")
        for part in "${parts[@]}"; do
            printf '\n=== %s\n' "$part"
            run_part "$part" || failed=1
            summary+="$line"$'\n'
        done
        ;;
esac
printf '\n=== summary (%d s)\n%s\n' "$SECONDS" "${summary%$'\n'}"
exit $failed
