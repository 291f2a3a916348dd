# shellcheck shell=bash
# What a person, a script and a test are told about the cluster.

# list PREFIX KIND WHAT SUFFIX: PREFIX://127.0.0.1:PORT SUFFIX of each, with commas between.
list() {
	addresses "$2" "$3" | sed -E "s#[^,]+#$1://&$4#g"
}

internal_ports() {
	local name list=
	for name in $(services); do
		list+=,$name=http://127.0.0.1:$(port "$name" internal)
	done
	echo "${list#,}"
}

# RUN_DIR/env: what contract 7 names, in shell syntax.
write_env() {
	{
		if [ "$1" = all ]; then
			printf 'SKEIN_HTTP=%q\n' "$(list http im http "")"
			printf 'SKEIN_WS=%q\n' "$(list ws gateway ws /ws)"
			printf 'SKEIN_JWT_SECRET=%q\n' "$(secret jwt)"
		fi
		printf 'SKEIN_PG=%q\n' "$(postgres_uri)"
		printf 'SKEIN_REDIS=%q\n' "$(redis_uri)"
		printf 'SKEIN_KAFKA=%q\n' "$(kafka_brokers)"
		if [ "$1" = all ]; then
			printf 'SKEIN_INTERNAL=%q\n' "$(internal_ports)"
		fi
	} >"$run_dir/env.new"
	mv "$run_dir/env.new" "$run_dir/env"
}

where_is() {
	case ${1%-*} in
	im) echo "http://127.0.0.1:$(port "$1" http)" ;;
	gateway) echo "ws://127.0.0.1:$(port "$1" ws)/ws" ;;
	router) echo "grpc 127.0.0.1:$(port "$1" grpc)" ;;
	push) echo "internal http://127.0.0.1:$(port "$1" internal)" ;;
	postgres) echo "postgresql://127.0.0.1:$(port postgres sql)/skein" ;;
	redis) echo "redis://127.0.0.1:$(port redis resp)" ;;
	kafka) echo "127.0.0.1:$(port kafka broker)" ;;
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

show_next_steps() {
	cat <<-TEXT

		Next:  make demo       two users on two gateways, talking
		       README.md       the same with curl; $(shown "$run_dir/env") holds the addresses, for a shell
	TEXT
}
