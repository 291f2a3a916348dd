#include "servers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/random.h"
#include "base/text/str.h"
#include "process_tree.h"

#define FIRST_PORT 24000
#define PORTS 1000
#define START_MS 60000
#define ARGS_MAX 24

static void die(const struct real_server *server, const char *what)
{
	char tail[4000] = "";
	FILE *log = fopen(server->log, "r");

	if (log) {
		if (fseek(log, -(long)sizeof(tail) + 1, SEEK_END))
			rewind(log);
		tail[fread(tail, 1, sizeof(tail) - 1, log)] = '\0';
		fclose(log);
	}
	fprintf(stderr, "%s: %s\n%s\n", server->folder, what, tail);
	abort();
}

/* ---- ports ---- */

static bool is_free(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return is_bound;
}

static bool are_free(unsigned first, unsigned count)
{
	while (count > 0 && is_free(first + count - 1))
		count--;
	return count == 0;
}

unsigned real_server_free_ports(unsigned count)
{
	unsigned first;

	do
		first = FIRST_PORT + count * (unsigned)random_below(PORTS / count);
	while (!are_free(first, count));
	return first;
}

/* Kafka needs two adjacent ports. */
unsigned real_server_free_port(void)
{
	return real_server_free_ports(2);
}

/* ---- processes ---- */

struct command {
	char text[ARGS_MAX][512];
	char *args[ARGS_MAX + 1];
	int count;
};

static void add(struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(command->text[command->count], sizeof(command->text[0]), format, args);
	va_end(args);
	command->args[command->count] = command->text[command->count];
	command->count++;
}

/* Runs in the child: PostgreSQL refuses to run as root. */
static void become(enum real_kind kind)
{
	const struct passwd *user = kind == REAL_POSTGRES && geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (user && (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid)))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static pid_t spawn(const struct real_server *server, const struct command *command)
{
	int log = open(server->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		dup2(log, 1);
		dup2(log, 2);
		become(server->kind);
		if (chdir(server->folder) == 0)
			execvp(command->args[0], command->args);
		fprintf(stderr, "cannot run %s\n", command->args[0]);
		_exit(127);
	}
	close(log);
	return pid;
}

static void run(const struct real_server *server, const struct command *command)
{
	int status;
	pid_t pid = spawn(server, command);

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die(server, command->args[0]);
}

/* ---- waiting for what the server writes ---- */

static bool has_written(const struct real_server *server, const char *line, long from)
{
	char text[1024];
	bool is_there = false;
	FILE *log = fopen(server->log, "r");

	if (log && fseek(log, from, SEEK_SET) == 0) {
		while (!is_there && fgets(text, sizeof(text), log))
			is_there = strstr(text, line) != NULL;
	}
	if (log)
		fclose(log);
	return is_there;
}

/* Wakes at each write to the log. A server that ends without writing is noticed by waitpid(). */
static void wait_for_line(const struct real_server *server, const char *line, long from)
{
	int watch = inotify_init1(IN_CLOEXEC);
	uint64_t deadline = clock_mono_ms() + START_MS;
	char events[4096];

	if (watch < 0 || inotify_add_watch(watch, server->log, IN_MODIFY) < 0)
		die(server, "its log cannot be watched");
	while (!has_written(server, line, from)) {
		struct pollfd pollfd = { .fd = watch, .events = POLLIN };
		if (clock_mono_ms() > deadline)
			die(server, "it did not start");
		if (poll(&pollfd, 1, 200) > 0 && read(watch, events, sizeof(events)) < 0)
			die(server, "its log cannot be watched");
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
			die(server, "it ended");
	}
	close(watch);
}

/* ---- PostgreSQL ---- */

static void add_postgres_program(struct command *command, const char *name)
{
	glob_t found;
	char pattern[64];

	snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/*/bin/%s", name);
	bool is_found = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
	add(command, "%s", is_found ? found.gl_pathv[found.gl_pathc - 1] : name);
	if (is_found)
		globfree(&found);
}

static void make_postgres(struct real_server *server)
{
	struct command command = { .count = 0 };
	const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (user && chown(server->folder, user->pw_uid, user->pw_gid))
		die(server, "its folder cannot be given to postgres");
	add_postgres_program(&command, "initdb");
	add(&command, "--pgdata=%s/data", server->folder);
	add(&command, "--username=skein");
	add(&command, "--auth=trust");
	add(&command, "--encoding=UTF8");
	add(&command, "--locale=C");
	add(&command, "--no-sync");
	run(server, &command);
	snprintf(server->uri, sizeof(server->uri), "postgresql://skein@127.0.0.1:%u/postgres", server->port);
}

static void command_postgres(const struct real_server *server, struct command *command)
{
	add_postgres_program(command, "postgres");
	add(command, "-D");
	add(command, "%s/data", server->folder);
	add(command, "-p");
	add(command, "%u", server->port);
	add(command, "-h");
	add(command, "127.0.0.1");
	add(command, "-k");
	add(command, "%s", ""); /* no Unix socket */
	if (server->extra[0]) {
		add(command, "-c");
		add(command, "%s=%s", server->extra[0], server->extra[1]);
	}
}

/* ---- Redis ---- */

static void make_redis(struct real_server *server)
{
	snprintf(server->uri, sizeof(server->uri), "redis://127.0.0.1:%u", server->port);
}

static void command_redis(const struct real_server *server, struct command *command)
{
	add(command, "redis-server");
	add(command, "--port");
	add(command, "%u", server->port);
	add(command, "--bind");
	add(command, "127.0.0.1");
	add(command, "--dir");
	add(command, "%s", server->folder);
	add(command, "--save");
	add(command, "%s", "");
	if (server->extra[0]) {
		add(command, "%s", server->extra[0]);
		add(command, "%s", server->extra[1]);
	}
}

/* ---- Kafka ---- */

static void add_java(struct command *command, const char *heap)
{
	char jars[PATH_MAX];
	const char *folder = getenv("KAFKA_JARS");

	if (!realpath(folder ? folder : "build/kafka", jars)) {
		fprintf(stderr, "Kafka's jars are not in build/kafka ($KAFKA_JARS): make deps\n");
		abort();
	}
	add(command, "java");
	add(command, "-Xms%s", heap);
	add(command, "-Xmx%s", heap);
	add(command, "-XX:TieredStopAtLevel=1");
	add(command, "-Dlog4j.configuration=file:log4j.properties");
	add(command, "-cp");
	add(command, "%s/*", jars);
}

static FILE *new_file(const struct real_server *server, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", server->folder, name);
	FILE *file = fopen(path, "w");
	if (!file)
		die(server, "its configuration cannot be written");
	return file;
}

static void make_kafka(struct real_server *server)
{
	struct command command = { .count = 0 };
	FILE *log = new_file(server, "log4j.properties"), *config = new_file(server, "server.properties");

	fprintf(log, "log4j.rootLogger=WARN, out\nlog4j.logger.kafka.server.KafkaRaftServer=INFO\n"
	             "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
	             "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
	             "log4j.appender.out.layout.ConversionPattern=%%d %%p %%c: %%m%%n\n");
	fclose(log);
	fprintf(config,
	        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:%u\n"
	        "listeners=PLAINTEXT://127.0.0.1:%u,CONTROLLER://127.0.0.1:%u\ncontroller.listener.names=CONTROLLER\n"
	        "advertised.listeners=PLAINTEXT://127.0.0.1:%u\nlog.dirs=%s/data\noffsets.topic.replication.factor=1\n"
	        "offsets.topic.num.partitions=4\ntransaction.state.log.replication.factor=1\n"
	        "transaction.state.log.min.isr=1\nbroker.session.timeout.ms=1000\nbroker.heartbeat.interval.ms=200\n"
	        "group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\n",
	        server->port + 1, server->port, server->port + 1, server->port, server->folder);
	fclose(config);
	snprintf(server->uri, sizeof(server->uri), "127.0.0.1:%u", server->port);
	add_java(&command, "64m");
	add(&command, "kafka.tools.StorageTool");
	add(&command, "format");
	add(&command, "-t");
	add(&command, "c2tlaW4tdGVzdHMtMDAwMA");
	add(&command, "-c");
	add(&command, "server.properties");
	run(server, &command);
}

static void command_kafka(const struct real_server *server, struct command *command)
{
	(void)server;
	add_java(command, "384m");
	add(command, "kafka.Kafka");
	add(command, "server.properties");
}

/* ---- all ---- */

static const struct {
	const char *name;
	void (*make)(struct real_server *server);
	void (*command)(const struct real_server *server, struct command *command);
	const char *ready;
	int stop;
} kinds[] = {
	[REAL_POSTGRES] = { "postgres", make_postgres, command_postgres, "ready to accept connections", SIGINT },
	[REAL_REDIS] = { "redis", make_redis, command_redis, "Ready to accept connections", SIGTERM },
	[REAL_KAFKA] = { "kafka", make_kafka, command_kafka, "Kafka Server started", SIGTERM },
};

void real_server_make(struct real_server *server)
{
	const char *tmp = getenv("TMPDIR");

	server->port = real_server_free_port();
	snprintf(server->folder, sizeof(server->folder), "%s/skein-%s-XXXXXX", tmp ? tmp : "/tmp", kinds[server->kind].name);
	if (!mkdtemp(server->folder))
		die(server, "its folder cannot be made");
	snprintf(server->log, sizeof(server->log), "%s/log", server->folder);
	kinds[server->kind].make(server);
	real_server_start(server);
}

void real_server_launch(struct real_server *server)
{
	struct command command = { .count = 0 };

	kinds[server->kind].command(server, &command);
	server->pid = spawn(server, &command);
	if (server->pid < 0)
		die(server, "it cannot be started");
}

void real_server_start(struct real_server *server)
{
	struct stat before = { .st_size = 0 };

	(void)stat(server->log, &before);
	real_server_launch(server);
	wait_for_line(server, kinds[server->kind].ready, before.st_size);
}

static void reap(struct real_server *server)
{
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void real_server_kill(struct real_server *server)
{
	process_tree_signal(server->pid, SIGKILL);
	reap(server);
}

void real_server_stop(struct real_server *server)
{
	kill(server->pid, kinds[server->kind].stop);
	reap(server);
}

void real_server_pause(struct real_server *server)
{
	process_tree_signal(server->pid, SIGSTOP);
	process_tree_await_stop(server->pid);
}

void real_server_continue(struct real_server *server)
{
	process_tree_signal(server->pid, SIGCONT);
}

uint64_t real_server_cpu_us(const struct real_server *server)
{
	return process_tree_cpu_us(server->pid);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat, (void)type, (void)ftw;
	return remove(path);
}

void real_server_remove(struct real_server *server)
{
	if (server->pid)
		real_server_kill(server);
	nftw(server->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
