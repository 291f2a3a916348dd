/*
 * TCP proxies between processes of the cluster, for faults that a network has: `chaos_proxy LINK:PORT:TARGET_PORT...`, all on
 * 127.0.0.1. One command a line on stdin, answered with `ok` when it holds; LINK may end in `*`:
 *
 *   delay LINK MS JITTER_MS   each piece arrives later, in order
 *   cut LINK                  connections are reset, new ones too
 *   hold LINK                 half-open: connections stay, nothing gets through, what was sent is lost
 *   heal LINK                 as at first; connections that lost something are reset, as a real one that was half-open would be
 *   aim LINK PORT             the target is another port; connections are reset
 *   hits LINK                 answered `ok N`: what the last delay, cut or hold has hit: pieces that came later, connections that
 *                             were reset or refused, pieces and ends that were lost
 *
 * A connection is two sockets and a queue of pieces each way. A side whose peer does not take more is not read.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define MAX_LINKS 64
#define MAX_LINE 256
#define PIECE 65536
#define MAX_QUEUED (1024 * 1024)

enum mode { MODE_OPEN, MODE_CUT, MODE_HOLD };

struct piece {
	struct piece *next;
	uint64_t due_ms;
	size_t len;
	char bytes[];
};

/* One socket of a connection: the bytes that it reads go to `peer` when they are due. */
struct side {
	uv_tcp_t socket;
	struct pair *pair;
	struct side *peer;
	struct piece *first, **end; /* for the peer */
	size_t queued;
	uint64_t last_due_ms;
	bool is_writing, has_ended, is_shut; /* to the peer */
	uv_write_t write;
	uv_shutdown_t shutdown;
	uv_timer_t timer;
	bool is_reading;
};

struct pair {
	struct pair *next, **at;
	struct link *link;
	struct side client, server;
	uv_connect_t connect;
	bool is_connected, is_closing, has_lost;
	int open_handles;
	char room[PIECE];
};

struct link {
	char name[64];
	int port, target;
	uv_tcp_t listener;
	enum mode mode;
	uint64_t delay_ms, jitter_ms;
	unsigned long hits; /* of the last fault */
	struct pair *pairs;
};

static struct link links[MAX_LINKS];
static size_t link_count;
static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return bound ? random_state % bound : 0;
}

/* ---- the end of a connection ---- */

static void free_pieces(struct side *side)
{
	for (struct piece *piece = side->first, *next; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	side->first = NULL;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct pair *pair = handle->data;

	if (--pair->open_handles)
		return;
	free_pieces(&pair->client);
	free_pieces(&pair->server);
	free(pair);
}

static void close_side(struct side *side, bool is_reset)
{
	if (is_reset)
		(void)uv_tcp_close_reset(&side->socket, on_handle_closed); /* fails where nothing was connected */
	if (!uv_is_closing((uv_handle_t *)&side->socket))
		uv_close((uv_handle_t *)&side->socket, on_handle_closed);
	uv_close((uv_handle_t *)&side->timer, on_handle_closed);
}

static void pair_close(struct pair *pair, bool is_reset)
{
	if (pair->is_closing)
		return;
	pair->is_closing = true;
	*pair->at = pair->next;
	if (pair->next)
		pair->next->at = pair->at;
	close_side(&pair->client, is_reset && !pair->client.is_shut && !pair->server.is_shut);
	close_side(&pair->server, is_reset && pair->is_connected && !pair->client.is_shut && !pair->server.is_shut);
}

/* ---- pieces ---- */

static void go_on(struct side *side);

static void on_written(uv_write_t *request, int status)
{
	struct side *side = request->data;
	struct piece *piece = side->first;

	side->is_writing = false;
	side->queued -= piece->len;
	side->first = piece->next;
	if (!side->first)
		side->end = &side->first;
	free(piece);
	if (side->pair->is_closing)
		return;
	if (status)
		pair_close(side->pair, true);
	else
		go_on(side);
}

static void on_due(uv_timer_t *timer)
{
	struct pair *pair = timer->data;

	go_on(timer == &pair->client.timer ? &pair->client : &pair->server);
}

static void on_shut(uv_shutdown_t *request, int status)
{
	struct side *side = request->data;
	(void)status;

	side->is_shut = true;
	if (side->peer->is_shut)
		pair_close(side->pair, false);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	struct pair *pair = handle->data;
	(void)wanted;

	*buf = uv_buf_init(pair->room, PIECE);
}

static void take(struct side *side, const char *bytes, size_t len)
{
	struct link *link = side->pair->link;
	struct piece *piece = malloc(sizeof(*piece) + len);
	uint64_t due_ms = uv_now(side->socket.loop) + link->delay_ms + random_below(link->jitter_ms);

	memcpy(piece->bytes, bytes, len);
	piece->next = NULL;
	piece->len = len;
	link->hits += link->delay_ms > 0;
	side->last_due_ms = piece->due_ms = due_ms > side->last_due_ms ? due_ms : side->last_due_ms;
	*side->end = piece;
	side->end = &piece->next;
	side->queued += len;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct pair *pair = stream->data;
	struct side *side = (uv_tcp_t *)stream == &pair->client.socket ? &pair->client : &pair->server;

	if (pair->link->mode == MODE_HOLD) {
		pair->has_lost = true;
		pair->link->hits++;
		if (got < 0)
			uv_read_stop(stream); /* the other side must not notice */
		return;
	}
	if (got == UV_EOF)
		side->has_ended = true;
	else if (got < 0)
		pair_close(pair, true);
	else if (got > 0)
		take(side, buf->base, (size_t)got);
	if (!pair->is_closing)
		go_on(side);
}

/* Sends the pieces that are due to the peer. The side is read while its queue has room. */
static void go_on(struct side *side)
{
	struct pair *pair = side->pair;
	struct piece *piece = side->first;
	uint64_t now_ms = uv_now(side->socket.loop);

	if (pair->is_connected && piece && !side->is_writing && piece->due_ms <= now_ms) {
		uv_buf_t buf = uv_buf_init(piece->bytes, (unsigned)piece->len);

		side->is_writing = true;
		side->write.data = side;
		if (uv_write(&side->write, (uv_stream_t *)&side->peer->socket, &buf, 1, on_written)) {
			side->is_writing = false;
			pair_close(pair, true);
			return;
		}
	} else if (piece && !side->is_writing && piece->due_ms > now_ms) {
		uv_timer_start(&side->timer, on_due, piece->due_ms - now_ms, 0);
	} else if (!piece && side->has_ended && pair->is_connected && !side->shutdown.data) {
		side->shutdown.data = side;
		if (uv_shutdown(&side->shutdown, (uv_stream_t *)&side->peer->socket, on_shut)) {
			pair_close(pair, true);
			return;
		}
	}
	bool has_room = side->queued < MAX_QUEUED && !side->has_ended;
	if (has_room && !side->is_reading)
		uv_read_start((uv_stream_t *)&side->socket, give_room, on_read);
	else if (!has_room && side->is_reading)
		uv_read_stop((uv_stream_t *)&side->socket);
	side->is_reading = has_room;
}

/* ---- new connections ---- */

static void on_connected(uv_connect_t *request, int status)
{
	struct pair *pair = request->data;

	if (pair->is_closing)
		return;
	if (status) {
		pair_close(pair, true);
		return;
	}
	pair->is_connected = true;
	uv_tcp_nodelay(&pair->server.socket, 1);
	go_on(&pair->client);
	go_on(&pair->server);
}

static void side_init(struct side *side, struct pair *pair, struct side *peer, uv_loop_t *loop)
{
	side->pair = pair;
	side->peer = peer;
	side->end = &side->first;
	uv_tcp_init(loop, &side->socket);
	uv_timer_init(loop, &side->timer);
	side->socket.data = side->timer.data = pair;
	pair->open_handles += 2;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct link *link = listener->data;
	struct sockaddr_in target;

	if (status)
		return;
	struct pair *pair = calloc(1, sizeof(*pair));
	pair->link = link;
	pair->next = link->pairs;
	pair->at = &link->pairs;
	if (pair->next)
		pair->next->at = &pair->next;
	link->pairs = pair;
	side_init(&pair->client, pair, &pair->server, listener->loop);
	side_init(&pair->server, pair, &pair->client, listener->loop);
	link->hits += link->mode != MODE_OPEN;
	if (uv_accept(listener, (uv_stream_t *)&pair->client.socket) || link->mode == MODE_CUT) {
		pair_close(pair, true);
		return;
	}
	uv_tcp_nodelay(&pair->client.socket, 1);
	if (link->mode == MODE_HOLD) { /* accepted by the kernel, but never answered */
		pair->has_lost = true;
		return;
	}
	pair->connect.data = pair;
	uv_ip4_addr("127.0.0.1", link->target, &target);
	if (uv_tcp_connect(&pair->connect, &pair->server.socket, (const struct sockaddr *)&target, on_connected))
		pair_close(pair, true);
}

/* ---- commands ---- */

/* How many. */
static unsigned long reset_pairs(struct link *link, bool only_lossy)
{
	unsigned long count = 0;

	for (struct pair *pair = link->pairs, *next; pair; pair = next) {
		next = pair->next;
		if (only_lossy && !pair->has_lost)
			continue;
		pair_close(pair, true);
		count++;
	}
	return count;
}

static bool change(struct link *link, const char *what, unsigned long number, unsigned long jitter_ms)
{
	if (strcmp(what, "delay") == 0) {
		link->hits = 0;
		link->delay_ms = number;
		link->jitter_ms = jitter_ms;
	} else if (strcmp(what, "cut") == 0) {
		link->mode = MODE_CUT;
		link->hits = reset_pairs(link, false);
	} else if (strcmp(what, "hold") == 0) {
		link->hits = 0;
		link->mode = MODE_HOLD;
	} else if (strcmp(what, "aim") == 0) {
		link->target = (int)number;
		(void)reset_pairs(link, false);
	} else if (strcmp(what, "heal") == 0) {
		link->mode = MODE_OPEN;
		link->delay_ms = link->jitter_ms = 0;
		(void)reset_pairs(link, true);
	} else if (strcmp(what, "hits") != 0) {
		return false;
	}
	return true;
}

static bool is_meant(const struct link *link, const char *name)
{
	size_t len = strcspn(name, "*");

	return name[len] ? strncmp(link->name, name, len) == 0 : strcmp(link->name, name) == 0;
}

static void obey(const char *line)
{
	char what[16], name[64];
	unsigned long number = 0, jitter_ms = 0, hits = 0;
	unsigned changed = 0;

	if (sscanf(line, "%15s %63s %lu %lu", what, name, &number, &jitter_ms) >= 2) {
		for (size_t i = 0; i < link_count; i++) {
			if (!is_meant(&links[i], name))
				continue;
			changed += change(&links[i], what, number, jitter_ms);
			hits += links[i].hits;
		}
	}
	if (changed && strcmp(what, "hits") == 0)
		printf("ok %lu\n", hits);
	else
		puts(changed ? "ok" : "what?");
	fflush(stdout);
}

static char line[MAX_LINE];
static size_t line_len;

static void give_line(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(line + line_len, (unsigned)(MAX_LINE - line_len));
}

static void on_command(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	(void)stream;
	(void)buf;
	if (got < 0)
		exit(0); /* the harness has ended, and the cluster with it */
	line_len += (size_t)got;
	for (char *end; (end = memchr(line, '\n', line_len));) {
		size_t len = (size_t)(end - line) + 1;

		*end = '\0';
		obey(line);
		line_len -= len;
		memmove(line, line + len, line_len);
	}
}

static void open_link(uv_loop_t *loop, const char *spec)
{
	struct link *link = &links[link_count++];
	struct sockaddr_in address;

	if (link_count > MAX_LINKS || sscanf(spec, "%63[^:]:%d:%d", link->name, &link->port, &link->target) != 3) {
		fprintf(stderr, "chaos_proxy: \"%s\" is not LINK:PORT:TARGET_PORT\n", spec);
		exit(2);
	}
	uv_ip4_addr("127.0.0.1", link->port, &address);
	uv_tcp_init(loop, &link->listener);
	link->listener.data = link;
	int err = uv_tcp_bind(&link->listener, (const struct sockaddr *)&address, 0);
	if (!err)
		err = uv_listen((uv_stream_t *)&link->listener, 511, on_connection);
	if (err) {
		fprintf(stderr, "chaos_proxy: listen on 127.0.0.1:%d: %s\n", link->port, uv_strerror(err));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uv_pipe_t in;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++)
		open_link(loop, argv[i]);
	uv_pipe_init(loop, &in, 0);
	uv_pipe_open(&in, 0);
	uv_read_start((uv_stream_t *)&in, give_line, on_command);
	puts("ok");
	fflush(stdout);
	return uv_run(loop, UV_RUN_DEFAULT);
}
