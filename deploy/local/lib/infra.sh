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

# Kafka's classes, loaded and checked: with them a start takes half the time. The first Kafka leaves them when it ends;
# the JVM passes over a file that does not fit it.
kafka_class_sharing() {
	local archive=$kafka_jars/classes.jsa
	if [ -f "$archive" ]; then
		echo "-XX:SharedArchiveFile=$archive"
	else
		echo "-XX:ArchiveClassesAtExit=$archive"
	fi
}

kafka_says_started() {
	log_since_launch kafka | grep -q 'Kafka Server started'
}

# Kafka tells its clients where to find it, so each link to it (LINKS=) is a listener of its own: the n-th on the port n + 2
# behind the broker's, told as the link's.
kafka_links() {
	local line n=0
	kafka_listeners='' kafka_advertised='' kafka_protocols=''
	[ -n "${LINKS:-}" ] || return 0
	while read -r line; do
		kafka_listeners+=",LINK$n://127.0.0.1:$(($(port kafka broker) + 2 + n))"
		kafka_advertised+=",LINK$n://127.0.0.1:$line"
		kafka_protocols+=",LINK$n:PLAINTEXT"
		n=$((n + 1))
	done < <(awk '$2 == "kafka" { print $4 }' "$LINKS")
}

start_kafka() {
	local data=$run_dir/data/kafka conf=$run_dir/conf/kafka.properties classes="$kafka_jars/*" id heap=${KAFKA_HEAP:-512m}
	[[ $heap =~ ^[1-9][0-9]{2,3}m$ ]] || die "KAFKA_HEAP=$heap: Kafka's memory in MiB, such as 256m"
	command -v java >/dev/null || die "Java is not installed: make deps"
	[ -f "$kafka_jars/stamp" ] || die "Kafka's jars are not in $(shown "$kafka_jars"): make deps"
	begin kafka
	kafka_links
	render "$templates/kafka.properties" DIR="$data" PORT="$(port kafka broker)" \
		LISTENERS="$kafka_listeners" ADVERTISED="$kafka_advertised" PROTOCOLS="$kafka_protocols" \
		CONTROLLER_PORT="$(port kafka controller)" >"$conf"
	if [ ! -f "$data/meta.properties" ]; then
		mkdir -p "$data"
		id=$(head -c 16 /dev/urandom | basenc --base64url | sed 's/^-/A/; s/=*$//')
		step java -XX:TieredStopAtLevel=1 -cp "$classes" kafka.tools.StorageTool format -t "$id" -c "$conf" \
			>>"$(log_file kafka)" 2>&1 ||
			fail kafka "cannot make Kafka's data in $(shown "$data")" || return 1
	fi
	# The optimizing compiler would take a third of a core for the first minutes, from servers that share two.
	launch kafka java "-Xms$heap" "-Xmx$heap" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "$(kafka_class_sharing)" \
		"-Dlog4j.configuration=file:$templates/kafka-log4j.properties" \
		-cp "$classes" kafka.Kafka "$conf"
	await kafka 60 kafka_says_started
}
