# shellcheck shell=bash
# parts.sh: what "stack" knows about names, processes and ports; it is sourced, never run.
# It uses from there: D (the folder of the stack), AS_POSTGRES, say, die.

# ---- Names ----------------------------------------------------------------------------------------

is_server() { [[ $1 == @(postgres|pgbouncer|redis-high|redis-low) ]]; }
is_instance() { [[ $1 =~ ^(.+)-[1-9][0-9]{0,3}$ ]] && is_role "${BASH_REMATCH[1]}"; }
has_api() { [[ ,${1%-*}, == *,api,* || ${1%-*} == all ]]; }

is_role() {
    local part seen=,
    [[ $1 != all ]] || return 0
    [[ $1 =~ ^[a-z]+(,[a-z]+)*$ ]] || return 1
    for part in ${1//,/ }; do
        [[ $part == @(api|manager|worker) && $seen != *",$part,"* ]] || return 1
        seen+=$part,
    done
}

# ---- Processes ------------------------------------------------------------------------------------

# identity PID: what tells this process from a later one with the same number; fails if it has ended.
identity() {
    local line fields
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra fields <<<"${line##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s %s\n' "${fields[19]}" "$(</proc/sys/kernel/random/boot_id)"
}

pid_of() { cat "$D/run/$1.pid" 2>/dev/null; }

alive() {
    local pid now
    pid=$(pid_of "$1") && now=$(identity "$pid") && [[ $now == "$(<"$D/run/$1.start")" ]]
}

ended() { ! alive "$1"; }

# launch NAME COMMAND...: in the background, in a session of its own, with its pid in run/NAME.pid.
launch() {
    local name=$1 pid fd as=() env=("STACK_OF_TASKFLOW=$D")
    shift
    [[ $name != @(postgres|pgbouncer) ]] || as=("${AS_POSTGRES[@]}")
    # A turn of the loop serves hundreds of requests: malloc shall keep as many blocks of a size ready.
    ! is_instance "$name" || env+=("GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.tcache_count=127}")
    (
        for fd in /proc/"$BASHPID"/fd/*; do     # a pipe of the caller must not stay open for years
            fd=${fd##*/}
            ((fd < 3 || fd == 255)) || exec {fd}>&-
        done
        cd "$D" || exit
        exec setsid env --default-signal "${env[@]}" "${as[@]}" "$@" </dev/null >>"$D/log/$name.log" 2>&1
    ) &
    pid=$!
    identity "$pid" >"$D/run/$name.start" || printf 'ended\n' >"$D/run/$name.start"
    printf '%s\n' "$pid" >"$D/run/$name.pid"
}

# cluster: the pids of our PostgreSQL. Backends are in sessions of their own and may outlive their
# parent, so they are known by the folder that they work in.
cluster() {
    local dir comm
    for dir in /proc/[0-9]*; do
        if [[ $dir/cwd -ef $D/pg ]] && { read -r comm <"$dir/comm"; } 2>/dev/null && [[ $comm == postgres ]]; then
            printf '%s\n' "${dir#/proc/}"
        fi
    done
}

cluster_is_gone() { [[ -z $(cluster) ]]; }

# send NAME SIGNAL: to a process that may end at any moment.
send() {
    local pids
    pids=$(pid_of "$1")
    if [[ $1 == postgres && $2 == KILL ]]; then
        kill -STOP "$pids" 2>/dev/null || :     # no child is born from now on
        pids=$(cluster)
    fi
    # shellcheck disable=SC2086  # one word a pid
    kill "-$2" $pids 2>/dev/null || :
}

# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

forget() { rm -f "$D/run/$1.pid" "$D/run/$1.start"; }

gentle() { if [[ $1 == postgres ]]; then echo INT; else echo TERM; fi; }

# stop_all SECONDS NAME...: asks all of them at once, waits, ends by force what is left.
stop_all() {
    local seconds=$1 name
    shift
    for name in "$@"; do
        alive "$name" || continue
        send "$name" "$(gentle "$name")"
        send "$name" CONT       # a stopped process cannot follow
    done
    for name in "$@"; do
        if ! until_true "$seconds" ended "$name"; then
            say "$name did not end within $seconds s: killed"
            send "$name" KILL
            until_true 10 ended "$name" || die "$name (pid $(pid_of "$name")) cannot be killed"
        fi
        forget "$name"
    done
}

# sweep: what outlived its parent has our mark in its environment.
sweep() {
    local file pid
    while read -r file; do
        pid=$(basename "$(dirname "$file")")
        say "left over, killed: pid $pid ($(cat "/proc/$pid/comm" 2>/dev/null))"
        kill -KILL "$pid" 2>/dev/null || :
    done < <(grep -lzxF "STACK_OF_TASKFLOW=$D" /proc/[0-9]*/environ 2>/dev/null)
    until_true 10 cluster_is_gone || die "processes of postgres are still in $D/pg"
}

# stop_everything SECONDS: the daemons first, then the servers, the database last.
stop_everything() {
    local file name daemons=()
    for file in "$D"/run/*.pid; do
        name=$(basename "$file" .pid)
        ! is_instance "$name" || daemons+=("$name")
    done
    stop_all "$1" "${daemons[@]}"
    stop_all "$1" pgbouncer
    stop_all "$1" redis-high redis-low
    stop_all "$1" postgres
    sweep
}

# ---- Ports ----------------------------------------------------------------------------------------

port_of() { awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' "$D/ports"; }

# pick_ports NAME[=PORT]...: keeps in D/ports a port for each that has none yet. They are bound to see
# that they are free, and lie below the range from which the kernel takes ports for outgoing
# connections: in there, a client could get the port of a part that is stopped for a while.
pick_ports() {
    perl -e '
        use strict;
        use Fcntl ":flock";
        use Socket;
        my $file = shift;
        open(my $lock, ">>", "$file.lock") or die "stack: $file.lock: $!\n";
        flock($lock, LOCK_EX) or die "stack: $file.lock: $!\n";
        my @lines;
        if (open(my $table, "<", $file)) { @lines = map { [split] } <$table> }
        open(my $range, "<", "/proc/sys/net/ipv4/ip_local_port_range");
        my ($size, @kept) = ((split " ", <$range> // "0")[0] - 10000);
        for my $arg (@ARGV) {
            my ($name, $wish) = split /=/, $arg;
            @lines = grep { $_->[0] ne $name } @lines if $wish;
            next if grep { $_->[0] eq $name } @lines;
            for my $try (1 .. 1001) {
                die $wish ? "stack: port $wish: $!\n" : "stack: no free port\n" if $try > ($wish ? 1 : 1000);
                socket(my $s, PF_INET, SOCK_STREAM, 0) or die "stack: socket: $!\n";
                setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
                bind($s, sockaddr_in($wish || ($size > 2000 ? 10000 + int rand $size : 0), INADDR_LOOPBACK)) or next;
                my ($port) = sockaddr_in(getsockname $s);
                next if grep { $_->[1] == $port } @lines;
                push @kept, $s;
                push @lines, [$name, $port];
                last;
            }
        }
        open(my $new, ">", "$file.new") or die "stack: $file.new: $!\n";    # others may read it now
        print $new "@$_\n" for @lines;
        close($new) && rename("$file.new", $file) or die "stack: $file: $!\n";' "$D/ports" "$@" || exit 1
}

# first_api: the port of the first instance with the API that runs; if none does, of the first that did;
# nothing if there never was one.
first_api() {
    local name port first=''
    while read -r name port; do
        if ! is_instance "$name" || ! has_api "$name"; then continue; fi
        first=${first:-$port}
        if alive "$name"; then
            first=$port
            break
        fi
    done <"$D/ports"
    printf '%s' "$first"
}
