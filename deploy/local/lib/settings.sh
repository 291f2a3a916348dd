# shellcheck shell=bash
# What a cluster is made of, where it lives, and which port is whose.

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../..")
run_dir=$(realpath -m "${RUN_DIR:-$root/.run}")
bin=$(realpath -m "${BIN:-$root/build/bin}")
kafka_jars=$(realpath -m "${KAFKA_JARS:-$root/build/kafka}")
templates=$root/deploy/config

saved_settings=$run_dir/settings
infra=(postgres redis kafka) # with KAFKAS=3: kafka-1 kafka-2 kafka-3

die() {
	echo "cluster: $*" >&2
	exit 1
}

# setting NAME FALLBACK: what the caller gave, else what the running cluster was started with, else the fallback.
setting() {
	local before=
	[ -z "${!1:-}" ] || return 0
	if [ "$is_running" = yes ]; then
		before=$(sed -n "s/^$1=//p" "$saved_settings")
	fi
	printf -v "$1" '%s' "${before:-$2}"
}

# SIZE= says how many of each service; GATEWAYS= and the others say it for one. Without any of them: as the cluster runs.
each_of_size() {
	case ${SIZE:-} in
	"" | standard) echo 2 ;;
	small) echo 1 ;;
	*) die "SIZE=$SIZE: small (1 of each service) or standard (2)" ;;
	esac
}

load_settings() {
	local name each base=${PORT_BASE:-} is_running=no

	if [ -f "$saved_settings" ] && something_runs; then
		is_running=yes
	fi
	PORT_BASE=
	setting PORT_BASE "${base:-8080}"
	if [ -n "$base" ] && [ "$base" != "$PORT_BASE" ]; then
		die "this cluster runs with PORT_BASE=$PORT_BASE: make down first, or give the new one its own RUN_DIR="
	fi
	[[ $PORT_BASE =~ ^[1-9][0-9]{3,4}$ ]] && [ "$PORT_BASE" -le 65400 ] ||
		die "PORT_BASE=$PORT_BASE: a number from 1024 to 65400, the first of a hundred ports"
	each=$(each_of_size) || exit 1
	for name in ROUTERS IMS PUSHES GATEWAYS; do
		[ -z "${SIZE:-}" ] || printf -v $name '%s' "${!name:-$each}"
		setting $name "$each"
		[[ ${!name} =~ ^[1-9]$ ]] || die "$name=${!name}: a number from 1 to 9"
	done
	setting LIMITS on
	[[ $LIMITS =~ ^(on|off)$ ]] || die "LIMITS=$LIMITS: on or off"
	setting LISTEN 127.0.0.1
	load_listen
	load_kafkas
}

# LISTEN= is the address of the public ports: HTTP of im, WebSocket of the gateways. From it follow, each as in a URL:
# listen_host, what they bind; here_host, where this machine finds them; seen_host, where other machines do ("": nowhere).
load_listen() {
	listen_host=$(in_url "$LISTEN") here_host=$listen_host seen_host=$listen_host
	case $LISTEN in
	127.* | ::1) seen_host= ;;
	0.0.0.0) here_host=127.0.0.1 seen_host=$(in_url "$(own_address -4 192.0.2.1)") ;;
	::) here_host='[::1]' seen_host=$(in_url "$(own_address -6 2001:db8::1)") ;;
	esac
}

in_url() {
	if [[ $1 == *:* ]]; then echo "[$1]"; else echo "$1"; fi
}

# own_address FAMILY ELSEWHERE: this machine's address on the way to elsewhere (any address that is not ours will do), else its
# first one that other machines may know, else nothing.
own_address() {
	local address
	address=$(ip "$1" -o route get "$2" 2>/dev/null | sed -nE 's/.* src ([^ ]+).*/\1/p')
	case $address in
	"" | 127.* | ::1) address=$(ip "$1" -o address show scope global up | awk '{ sub("/.*", "", $4); print $4; exit }') ;;
	esac
	echo "$address"
}

# Before something is started that binds LISTEN.
need_address() {
	local kind address
	case $LISTEN in
	0.0.0.0 | ::)
		[ -n "$seen_host" ] ||
			die "LISTEN=$LISTEN: no interface of this machine has an address that other machines could use: ip address"
		;;
	*)
		[[ $LISTEN =~ ^([0-9]+\.){3}[0-9]+$|: ]] && read -r kind address _ < <(ip -o route get "$LISTEN" 2>/dev/null) &&
			[ "$kind $address" = "local $LISTEN" ] && [[ $LISTEN != fe80:* ]] ||
			die "LISTEN=$LISTEN: 0.0.0.0, ::, or one of this machine's addresses: $(ip -o address show up |
				awk '{ sub("/.*", "", $4) } $4 !~ /^fe80:/ { print $4 }' | xargs)"
		;;
	esac
}

# One broker that is called kafka, or three. The data is of the one or of the other.
load_kafkas() {
	local made=
	[ ! -d "$run_dir/data/kafka" ] || made=1
	[ ! -d "$run_dir/data/kafka-1" ] || made=3
	setting KAFKAS "${made:-1}"
	[[ $KAFKAS =~ ^[13]$ ]] || die "KAFKAS=$KAFKAS: 1 or 3"
	[ "$KAFKAS" = "${made:-$KAFKAS}" ] ||
		die "the data in $(shown "$run_dir") is that of KAFKAS=$made: make down clean-data first, or RUN_DIR="
	[ "$KAFKAS" = 1 ] || infra=(postgres redis kafka-1 kafka-2 kafka-3)
}

# The names of the brokers.
brokers() { printf '%s\n' "${infra[@]:2}"; }

save_settings() {
	local name
	for name in PORT_BASE ROUTERS IMS PUSHES GATEWAYS LIMITS LISTEN KAFKAS; do
		echo "$name=${!name}"
	done >"$saved_settings"
}

# The services as NAME lines: router-1, router-2, push-1 ... in the order of an upgrade (docs/operate/upgrade.md).
services() {
	local i
	for ((i = 1; i <= ROUTERS; i++)); do echo "router-$i"; done
	for ((i = 1; i <= PUSHES; i++)); do echo "push-$i"; done
	for ((i = 1; i <= IMS; i++)); do echo "im-$i"; done
	for ((i = 1; i <= GATEWAYS; i++)); do echo "gateway-$i"; done
}

# port NAME WHAT. A cluster takes the hundred ports from PORT_BASE on.
port() {
	local number=${1##*-} first
	case ${1%-*}.$2 in
	im.http) first=0 ;;
	gateway.ws) first=10 ;;
	im.grpc) first=20 ;;
	router.grpc) first=30 ;;
	gateway.grpc) first=40 ;;
	im.internal) first=50 ;;
	gateway.internal) first=60 ;;
	router.internal) first=70 ;;
	push.internal) first=80 ;;
	postgres.sql) first=90 number=1 ;;
	redis.resp) first=91 number=1 ;;
	kafka.broker) first=92 ;;
	kafka.controller) first=$((92 + KAFKAS)) ;;
	*) die "no such port: $1 $2" ;;
	esac
	[ "$number" != kafka ] || number=1
	echo $((PORT_BASE + first + number - 1))
}

# What NAME listens for.
ports_of() {
	case ${1%-*} in
	im) echo http grpc internal ;;
	gateway) echo ws grpc internal ;;
	router) echo grpc internal ;;
	push) echo internal ;;
	postgres) echo sql ;;
	redis) echo resp ;;
	kafka) echo broker controller ;;
	esac
}

# link FROM NAME WHAT: host:port under which FROM (a service, `here`, or `clients`) reaches that port of NAME. LINKS= may name a
# file of lines `FROM NAME WHAT PORT` with other ports, of proxies in between. For Kafka a line ends with one more port:
# kafka_links of infra.sh.
link() {
	local number='' host=127.0.0.1
	if [ -n "${LINKS:-}" ]; then
		number=$(awk -v from="$1" -v name="$2" -v what="$3" \
			'$1 == from && $2 == name && $3 == what { print $4; exit }' "$LINKS")
	fi
	case $1.$3.$number in
	here.http. | here.ws.) host=$here_host ;;
	clients.http. | clients.ws.) host=${seen_host:-$here_host} ;;
	esac
	echo "$host:${number:-$(port "$2" "$3")}"
}

# links FROM KIND WHAT: those of each service of that kind, with commas between.
links() {
	local name list=
	for name in $(services); do
		[ "${name%-*}" != "$2" ] || list+=,$(link "$1" "$name" "$3")
	done
	echo "${list#,}"
}

# secret NAME: made at the first start, kept with the data. Of several at once the first one makes it.
secret() {
	local file=$run_dir/data/secrets/$1 new
	if [ ! -s "$file" ]; then
		new=$file.$BASHPID
		mkdir -p "${file%/*}"
		od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$new"
		ln "$new" "$file" 2>/dev/null || true
		rm "$new"
	fi
	cat "$file"
}

# render TEMPLATE NAME=VALUE...: the template with each @NAME@ filled in.
render() {
	local text pair
	text=$(<"$1")
	for pair in "${@:2}"; do
		text=${text//"@${pair%%=*}@"/"${pair#*=}"}
	done
	printf '%s\n' "$text"
}
