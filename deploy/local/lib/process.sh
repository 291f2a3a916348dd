# shellcheck shell=bash
# Starting, watching and stopping one process. RUN_DIR/pids/NAME holds its pid, RUN_DIR/logs/NAME.log what it says.

pid_file() { echo "$run_dir/pids/$1"; }
log_file() { echo "$run_dir/logs/$1.log"; }

# An argument that only this cluster's NAME has on its command line: a pid alone may have gone to somebody else.
mark_of() {
	case $1 in
	postgres) echo "$run_dir/data/postgres" ;;
	kafka*) echo "$run_dir/conf/$1.properties" ;;
	*) echo "$run_dir/conf/$1.conf" ;;
	esac
}

# The pid of NAME if it runs, else nothing.
pid_of() {
	local pid
	read -r pid 2>/dev/null <"$(pid_file "$1")" || return 1
	grep -zqxF -- "$(mark_of "$1")" "/proc/$pid/cmdline" 2>/dev/null || return 1
	echo "$pid"
}

runs() { pid_of "$1" >/dev/null; }

something_runs() {
	local file
	for file in "$run_dir"/pids/*; do
		! runs "${file##*/}" || return 0
	done
	return 1
}

# begin NAME: from here on it counts as started by this call, and these are its lines of the log.
begin() {
	local log
	log=$(log_file "$1")
	if [ -f "$log" ] && [ "$(stat -c %s "$log")" -gt "${LOG_LIMIT:-16777216}" ]; then
		mv "$log" "$log.1"
	fi
	touch "$log"
	stat -c %s "$log" >"$run_dir/started/$1"
}

# launch NAME COMMAND...: in a session of its own, so that it survives this one and no Ctrl-C reaches it. Whoever ends
# us in between has to wait until the pid is written down.
launch() {
	local was_ended=
	trap 'was_ended=yes' TERM
	setsid env --default-signal=INT,QUIT "${@:2}" </dev/null >>"$(log_file "$1")" 2>&1 9>&- &
	echo $! >"$(pid_file "$1")"
	trap - TERM
	[ -z "$was_ended" ] || exit 143
}

# step COMMAND...: runs it to its end, or to ours.
step() {
	local pid status=0
	"$@" <&0 9>&- &
	pid=$!
	trap 'kill "$pid"; wait "$pid"; exit 143' TERM
	wait "$pid" || status=$?
	trap - TERM
	return $status
}

log_since_launch() {
	tail -c "+$(($(<"$run_dir/started/$1") + 1))" "$(log_file "$1")"
}

# Right after launch() the command line is not the program's yet: only a process that is gone, or a zombie, has died.
has_died() {
	local pid state
	pid=$(<"$(pid_file "$1")")
	state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || return 0
	[[ -z $state || $state == [ZX]* ]]
}

# fail NAME SENTENCE: says it with the end of the log.
fail() {
	{
		log_since_launch "$1" | tail -n 12 | sed 's/^/  | /'
		echo "cluster: $2 (the end of $(shown "$(log_file "$1")") is above)"
	} >&2
	return 1
}

# await NAME SECONDS CHECK...: until the check succeeds.
await() {
	local name=$1 seconds=$2 deadline=$((SECONDS + $2))
	shift 2
	until "$@"; do
		if has_died "$name"; then
			fail "$name" "$name ended while it was starting" || return 1
		elif [ $SECONDS -gt $deadline ]; then
			fail "$name" "$name was not ready after $seconds s" || return 1
		fi
		sleep 0.04
	done
}

# stop NAME SIGNAL SECONDS: asks, waits, and at last insists.
stop() {
	local name=$1 pid deadline=$((SECONDS + $3))
	if pid=$(pid_of "$name"); then
		kill -s "$2" "$pid" 2>/dev/null || true
		while runs "$name"; do
			if [ $SECONDS -gt $deadline ]; then
				echo "cluster: $name did not end within $3 s of SIG$2; killing it" >&2
				kill -s KILL "$pid" 2>/dev/null || true
				deadline=$((SECONDS + 5))
			fi
			sleep 0.04
		done
	fi
	rm -f "$(pid_file "$name")"
}

# From what ss says of a process, users:(("nginx",pid=7,fd=3)), to what a person reads.
who() {
	sed -nE 's/.*\(\("([^"]*)",pid=([0-9]+).*/\1 (pid \2)/p; t; s/.*/another process/p' <<<"$1"
}

# free_ports NAME...: none of their ports may be somebody else's.
free_ports() {
	local name what number taken holder
	taken=$(ss -Hltnp) || die "ss is missing: make deps"
	for name; do
		for what in $(ports_of "$name"); do
			number=$(port "$name" "$what")
			holder=$(awk -v port="$number" '$4 ~ ":" port "$" { print ($6 ? $6 : "?"); exit }' <<<"$taken")
			[ -z "$holder" ] ||
				die "port $number ($what of $name) is taken by $(who "$holder"); PORT_BASE= chooses others"
		done
	done
}

# http_get PORT PATH: the answer's status line and body. No curl: this is asked some hundred times in a start.
http_get() {
	local line
	{ exec 8<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
	printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&8
	while IFS= read -r -t 2 line <&8 || [ -n "$line" ]; do
		printf '%s\n' "${line%$'\r'}"
		line=
	done
	exec 8>&-
}

# A path as one would type it from the checkout.
shown() {
	echo "${1#"$root"/}"
}
