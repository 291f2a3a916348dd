# shellcheck shell=bash
# Our own processes: a configuration file each, rendered from deploy/config/KIND.conf.

# Each as the service FROM sees it.
postgres_uri() { echo "postgresql://skein:$(secret postgres)@$(link "$1" postgres sql)/skein"; }
redis_uri() { echo "redis://$(link "$1" redis resp)/0"; }
kafka_brokers() {
	local broker list=
	for broker in $(brokers); do
		list+=,$(link "$1" "$broker" broker)
	done
	echo "${list#,}"
}

service_conf() {
	local name=$1 what ports=() seen=()
	for what in $(ports_of "$name"); do
		ports+=("${what^^}_PORT=$(port "$name" "$what")")
	done
	[ "${name%-*}" != gateway ] ||
		seen=("WS_SEEN=$(link clients "$name" ws)" "GRPC_SEEN=$(link push "$name" grpc)")
	render "$templates/${name%-*}.conf" NAME="$name" LISTEN="$listen_host" "${ports[@]}" "${seen[@]}" \
		PG_URI="$(postgres_uri "$name")" REDIS_URI="$(redis_uri "$name")" KAFKA_BROKERS="$(kafka_brokers "$name")" \
		KAFKAS="$KAFKAS" AUTH_SECRET="$(secret jwt)" LIMITS="$LIMITS" \
		ROUTERS="$(links "$name" router grpc)" IMS="$(links "$name" im grpc)"
}

# configure NAME: writes its file; fails when that changed nothing.
configure() {
	local conf=$run_dir/conf/$1.conf
	service_conf "$1" >"$conf.new"
	if cmp -s "$conf.new" "$conf"; then
		rm "$conf.new"
		return 1
	fi
	mv "$conf.new" "$conf"
}

is_ready() {
	[[ $(http_get "$(port "$1" internal)" /readyz) == HTTP/1.?\ 200* ]]
}

need_binaries() {
	local name
	for name in $(services); do
		[ -x "$bin/${name%-*}" ] || die "$(shown "$bin/${name%-*}") is not built: make all"
	done
}

all_are_ready() {
	local name
	for name in $(services); do
		is_ready "$name" || return 1
	done
}

# Every im offers the gateway NAME to clients.
is_offered() {
	local im
	for im in $(services); do
		[[ $im == im-* ]] || continue
		SKEIN_HTTP=http://$(link here "$im" http) SKEIN_JWT_SECRET=$(secret jwt) \
			"$bin/skeinctl" nodes 2>/dev/null |
			awk -v name="$1" '$1 == name && $5 == "no" { is_there = 1 } END { exit !is_there }' || return 1
	done
}

# await_others NAME: it is back, and so are those that missed it.
await_others() {
	local deadline=$((SECONDS + 30))
	until all_are_ready; do
		[ $SECONDS -lt $deadline ] || die "$1 was restarted, and not everything is ready after 30 s: make status"
		sleep 0.04
	done
	[[ $1 == gateway-* ]] || return 0
	until is_offered "$1"; do
		[ $SECONDS -lt $deadline ] || die "$1 was restarted, and is not offered to clients after 30 s"
		sleep 0.1
	done
}

# SERVICE_WRAPPER= may name a program that gets NAME and the command, and becomes it.
start_service() {
	begin "$1"
	launch "$1" ${SERVICE_WRAPPER:+"$SERVICE_WRAPPER" "$1"} "$bin/${1%-*}" --config "$run_dir/conf/$1.conf"
	await "$1" 30 is_ready "$1"
}

# Brings PostgreSQL's schema and Kafka's topics up to what this binary knows.
migrate() {
	begin migrate
	timeout 60 "$bin/im" --config "$run_dir/conf/im-1.conf" --migrate >>"$(log_file migrate)" 2>&1 9>&- ||
		fail migrate "the migrations did not go through"
}
