# shellcheck shell=bash
# What a person, a script and a test are told about the cluster.

# list FROM PREFIX KIND WHAT SUFFIX: PREFIX://HOST:PORT SUFFIX of each as FROM sees it, with commas between.
list() {
	links "$1" "$3" "$4" | sed -E "s#[^,]+#$2://&$5#g"
}

internal_ports() {
	local name list=
	for name in $(services); do
		list+=,$name=http://127.0.0.1:$(port "$name" internal)
	done
	echo "${list#,}"
}

# assign NAME VALUE: a line of shell; quoted only where it must be, for readers that are not shells.
assign() {
	if [[ $2 =~ ^[][A-Za-z0-9_./:@,=+-]*$ ]]; then
		echo "$1=$2"
	else
		echo "$1='${2//\'/\'\\\'\'}'"
	fi
}

# RUN_DIR/env: what contract 7 names.
write_env() {
	{
		if [ "$1" = all ]; then
			assign SKEIN_HTTP "$(list here http im http "")"
			assign SKEIN_WS "$(list here ws gateway ws /ws)"
			assign SKEIN_JWT_SECRET "$(secret jwt)"
			assign SKEIN_INTERNAL "$(internal_ports)"
		fi
		assign SKEIN_PG "$(postgres_uri here)"
		assign SKEIN_REDIS "$(redis_uri here)"
		assign SKEIN_KAFKA "$(kafka_brokers here)"
	} >"$run_dir/env.new"
	mv "$run_dir/env.new" "$run_dir/env"
}

where_is() {
	case ${1%-*} in
	im) echo "http://$(link here "$1" http)" ;;
	gateway) echo "ws://$(link here "$1" ws)/ws" ;;
	router) echo "grpc 127.0.0.1:$(port "$1" grpc)" ;;
	push) echo "internal http://127.0.0.1:$(port "$1" internal)" ;;
	postgres) echo "postgresql://127.0.0.1:$(port postgres sql)/skein" ;;
	redis) echo "redis://127.0.0.1:$(port redis resp)" ;;
	kafka) echo "127.0.0.1:$(port "$1" broker)" ;;
	esac
}

state_of() {
	local pid
	if ! pid=$(pid_of "$1"); then
		echo down
	elif [[ " ${infra[*]} " == *" $1 "* ]]; then
		echo up
	elif ! is_ready "$1"; then
		echo "not ready"
	elif [[ $(readlink "/proc/$pid/exe") == *" (deleted)" ]]; then
		echo "up, built anew since"
	else
		echo up
	fi
}

# One line for each NAME; fails when one of them is not up.
show_state() {
	local name state all_up=0
	for name; do
		state=$(state_of "$name")
		[[ $state == up* ]] || all_up=1
		printf '  %-10s %-8s %-44s %s\n' "$name" "$(pid_of "$name" || echo -)" "$(where_is "$name")" "$state"
	done
	return $all_up
}

# What somebody with a phone in the same network types in.
show_for_other_machines() {
	[ -n "$seen_host" ] || return 0
	printf '\nFrom other machines (LISTEN=%s): %s %s\n' "$LISTEN" "$(list clients http im http "")" \
		"$(list clients ws gateway ws /ws)"
}

show_next_steps() {
	cat <<-TEXT

		Next:  make demo       two users on two gateways, talking
		       README.md       the same with curl; $(shown "$run_dir/env") holds the addresses, for a shell
	TEXT
}
