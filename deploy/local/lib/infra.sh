# shellcheck shell=bash
# PostgreSQL, Redis and Kafka: start_NAME makes its data at the first start and returns when the server answers.

find_postgres() {
	postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	[ -x "$postgres_bin/postgres" ] || die "PostgreSQL is not installed: make deps"
}

# PostgreSQL refuses to be root, so root lends it the user of Debian's package. Where that user may not even walk to
# our folder (a checkout below /root), it gets one capability: to enter directories, or where a container withholds
# that one, to pass over file permissions.
find_postgres_user() {
	local data=$run_dir/data/postgres capability
	as_postgres=()
	[ "$(id -u)" -eq 0 ] || return 0
	id postgres >/dev/null 2>&1 || die "there is no user postgres for PostgreSQL to run as: make deps"
	chown -R postgres:postgres "$data"
	for capability in none dac_read_search dac_override; do
		as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
		[ $capability = none ] || as_postgres+=(--inh-caps=+$capability --ambient-caps=+$capability)
		! "${as_postgres[@]}" stat "$data/." >/dev/null 2>&1 || return 0
	done
	die "PostgreSQL's user cannot enter $data: put the checkout, or RUN_DIR=, where every user may go"
}

# The superuser has no password, so nobody can log in as it; `skein` owns the database and nothing else.
make_postgres_data() {
	local data=$run_dir/data/postgres
	{
		step "${as_postgres[@]}" "$postgres_bin/initdb" -D "$data" -U postgres --no-sync \
			--encoding=UTF8 --locale=C.UTF-8 --auth=reject &&
			step "${as_postgres[@]}" "$postgres_bin/postgres" --single -D "$data" postgres <<-SQL
				create role skein login password '$(secret postgres)'
				create database skein owner skein
			SQL
	} >>"$(log_file postgres)" 2>&1
}

# After a kill -9 its children need a moment to notice, and a new server would corrupt the data beside them: its lock
# file goes only when nobody is attached to its shared memory any more. (The lock file alone would do, but the dead
# process still counts as alive until an init that may take its time has reaped it.)
await_orphans() {
	local lock=$run_dir/data/postgres/postmaster.pid shm deadline=$((SECONDS + 10))
	[ -f "$lock" ] || return 0
	shm=$(awk 'NR == 7 { print $2 }' "$lock")
	while awk -v shm="$shm" '$2 == shm && $7 > 0 { found = 1 } END { exit !found }' /proc/sysvipc/shm; do
		[ $SECONDS -le $deadline ] || return 0
		sleep 0.04
	done
	rm "$lock"
}

start_postgres() {
	local data=$run_dir/data/postgres port
	port=$(port postgres sql)
	find_postgres
	mkdir -p "$data"
	chmod 700 "$data"
	find_postgres_user
	begin postgres
	if [ ! -f "$run_dir/data/postgres-is-made" ]; then
		find "$data" -mindepth 1 -delete
		make_postgres_data || fail postgres "cannot make PostgreSQL's data in $(shown "$data")" || return 1
		touch "$run_dir/data/postgres-is-made"
	fi
	await_orphans
	render "$templates/postgresql.conf" PORT="$port" >"$data/postgresql.conf"
	echo "host all all 127.0.0.1/32 scram-sha-256" >"$data/pg_hba.conf"
	launch postgres "${as_postgres[@]}" "$postgres_bin/postgres" -D "$data"
	await postgres 60 "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$port"
}

# build/redis: see mk/deps.mk.
find_redis() {
	redis_server=$(PATH=$PATH:$root/build/redis command -v redis-server) || die "Redis is not installed: make deps"
}

redis_answers() {
	local reply
	{ exec 7<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
	printf 'PING\r\n' >&7
	read -r -t 2 reply <&7
	exec 7>&-
	[[ $reply == +PONG* ]]
}

start_redis() {
	local port
	port=$(port redis resp)
	find_redis
	begin redis
	mkdir -p "$run_dir/data/redis"
	render "$templates/redis.conf" PORT="$port" DIR="$run_dir/data/redis" >"$run_dir/conf/redis.conf"
	launch redis "$redis_server" "$run_dir/conf/redis.conf"
	await redis 20 redis_answers "$port"
}

# Kafka's classes, loaded and checked: with them a start takes half the time. The first broker leaves them when it ends;
# the JVM passes over a file that does not fit it.
kafka_class_sharing() {
	local archive=$kafka_jars/classes.jsa
	if [ -f "$archive" ]; then
		echo "-XX:SharedArchiveFile=$archive"
	elif [ "$(kafka_node "$1")" = 1 ]; then
		echo "-XX:ArchiveClassesAtExit=$archive"
	fi
}

kafka_says_started() {
	log_since_launch "$1" | grep -q 'Kafka Server started'
}

# Kafka tells its clients where to find it, so each link to a broker (LINKS=) is a listener of its own, told as the link's port.
# The listener's port is the last one of the link's line.
kafka_links() {
	local told port n=0
	kafka_listeners='' kafka_advertised='' kafka_protocols=''
	[ -n "${LINKS:-}" ] || return 0
	while read -r told port; do
		kafka_listeners+=",LINK$n://127.0.0.1:$port"
		kafka_advertised+=",LINK$n://127.0.0.1:$told"
		kafka_protocols+=",LINK$n:PLAINTEXT"
		n=$((n + 1))
	done < <(awk -v name="$1" '$2 == name { print $4, $5 }' "$LINKS")
}

kafka_voters() {
	local broker list=
	for broker in $(brokers); do
		list+=,$(kafka_node "$broker")@127.0.0.1:$(port "$broker" controller)
	done
	echo "${list#,}"
}

kafka_node() {
	[ "$1" != kafka ] || set -- kafka-1
	echo "${1#kafka-}"
}

# Of three brokers, all have a copy of everything, and two must have a record before it counts as stored.
kafka_conf() {
	local name=$1 in_sync=1
	[ "$KAFKAS" = 1 ] || in_sync=2
	kafka_links "$name"
	render "$templates/kafka.properties" NODE="$(kafka_node "$name")" VOTERS="$(kafka_voters)" \
		COPIES="$KAFKAS" IN_SYNC="$in_sync" DIR="$run_dir/data/$name" PORT="$(port "$name" broker)" \
		LISTENERS="$kafka_listeners" ADVERTISED="$kafka_advertised" PROTOCOLS="$kafka_protocols" \
		CONTROLLER_PORT="$(port "$name" controller)"
}

# The brokers' cluster: 16 bytes in Kafka's base64, which must not begin with a dash.
kafka_cluster_id() {
	secret kafka-cluster | head -c 32 | tr a-f A-F | basenc --base16 -d | basenc --base64url | sed 's/^-/A/; s/=*$//'
}

# start_kafka NAME: kafka, or one of three.
start_kafka() {
	local name=$1 data=$run_dir/data/$1 conf=$run_dir/conf/$1.properties classes="$kafka_jars/*" heap=512m sharing
	[ "$KAFKAS" = 1 ] || heap=256m
	heap=${KAFKA_HEAP:-$heap}
	[[ $heap =~ ^[1-9][0-9]{2,3}m$ ]] || die "KAFKA_HEAP=$heap: Kafka's memory in MiB, such as 256m"
	command -v java >/dev/null || die "Java is not installed: make deps"
	[ -f "$kafka_jars/stamp" ] || die "Kafka's jars are not in $(shown "$kafka_jars"): make deps"
	begin "$name"
	kafka_conf "$name" >"$conf"
	if [ ! -f "$data/meta.properties" ]; then
		mkdir -p "$data"
		step java -XX:TieredStopAtLevel=1 -cp "$classes" kafka.tools.StorageTool format \
			-t "$(kafka_cluster_id)" -c "$conf" >>"$(log_file "$name")" 2>&1 ||
			fail "$name" "cannot make Kafka's data in $(shown "$data")" || return 1
	fi
	sharing=$(kafka_class_sharing "$name")
	# The optimizing compiler would take a third of a core for the first minutes, from servers that share two.
	launch "$name" java "-Xms$heap" "-Xmx$heap" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${sharing:+"$sharing"} \
		"-Dlog4j.configuration=file:$templates/kafka-log4j.properties" \
		-cp "$classes" kafka.Kafka "$conf"
	await "$name" 60 kafka_says_started "$name"
}
