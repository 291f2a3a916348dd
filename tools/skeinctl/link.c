#include "tools/skeinctl/link.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "tools/skeinctl/skeinctl.h"

struct arrival {
	struct list link;
	json_t *frame;
	uint64_t at_us;
};

struct link {
	struct lws *wsi;
	struct buf partial;
	struct list arrivals;
	char handed_out[21]; /* offset of the last message that was; "" when there is none to acknowledge */
	char to_ack[21];
	bool is_closed;
	char reason[160];
};

static struct lws_context *context;

static void take_frame(struct link *link)
{
	struct arrival *arrival = MEM_NEW(struct arrival);

	arrival->at_us = clock_mono_us();
	arrival->frame = json_loadb(link->partial.ptr, link->partial.len, 0, NULL);
	buf_clear(&link->partial);
	if (!arrival->frame)
		die("the gateway sent something that is not JSON");
	list_push_back(&link->arrivals, &arrival->link);
}

static void note_close(struct link *link, const void *in, size_t len, const char *otherwise)
{
	link->is_closed = true;
	link->wsi = NULL;
	if (!*link->reason)
		snprintf(link->reason, sizeof(link->reason), "%.*s", in ? (int)len : (int)strlen(otherwise),
		         in ? (const char *)in : otherwise);
}

static void note_close_code(struct link *link, const unsigned char *in, size_t len)
{
	if (len >= 2)
		snprintf(link->reason, sizeof(link->reason), "closed with %d %.*s", in[0] << 8 | in[1], (int)len - 2,
		         (const char *)in + 2);
}

static void write_ack(struct link *link)
{
	unsigned char bytes[LWS_PRE + 64];

	if (!*link->to_ack)
		return;
	int len = snprintf((char *)bytes + LWS_PRE, sizeof(bytes) - LWS_PRE, "{\"type\":\"ack\",\"offset\":\"%s\"}", link->to_ack);
	*link->to_ack = '\0';
	/* If it fails the connection is closing, which comes as an event. */
	lws_write(link->wsi, bytes + LWS_PRE, (size_t)len, LWS_WRITE_TEXT);
}

/* Acks are cumulative: one that has not left yet is replaced. */
static void ack_what_was_handed_out(struct link *link)
{
	if (!*link->handed_out || !link->wsi)
		return;
	memcpy(link->to_ack, link->handed_out, sizeof(link->to_ack));
	*link->handed_out = '\0';
	lws_callback_on_writable(link->wsi);
}

static void note_offset(struct link *link, const json_t *frame)
{
	const char *offset = json_string_value(json_object_get(frame, "offset"));

	if (offset && !str_copy(link->handed_out, sizeof(link->handed_out), str_from(offset)))
		die("the gateway sent an offset that is too long");
}

static int on_event(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len)
{
	struct link *link = user;

	switch (why) {
	case LWS_CALLBACK_CLIENT_RECEIVE:
		buf_append(&link->partial, in, len);
		if (lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi))
			take_frame(link);
		break;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		write_ack(link);
		break;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		note_close_code(link, in, len);
		break;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		note_close(link, in, len, "could not connect");
		break;
	case LWS_CALLBACK_CLIENT_CLOSED:
		note_close(link, NULL, 0, "closed");
		break;
	default:
		break;
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
	{ .name = "skein.v1.json", .callback = on_event, .rx_buffer_size = 4096 },
	{ 0 },
};

static void make_context(void)
{
	struct lws_context_creation_info info = { .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols };

	lws_set_log_level(0, NULL);
	context = lws_create_context(&info);
	if (!context)
		die("cannot make a WebSocket client");
}

struct link *link_open(const char *ws_url, const char *token, const char *device, const char *more)
{
	struct link *link = MEM_NEW(struct link);
	const char *scheme, *host, *path;
	char *url = str_dup(str_from(ws_url));
	struct buf target = { 0 };
	int port;

	if (!context)
		make_context();
	if (lws_parse_uri(url, &scheme, &host, &port, &path) || (strcmp(scheme, "ws") != 0 && strcmp(scheme, "wss") != 0) || !*host)
		die("\"%s\" is no WebSocket URL", ws_url);
	buf_printf(&target, "/%s?token=%s&device=%s&platform=desktop%s", path, token, device, more);
	list_init(&link->arrivals);
	struct lws_client_connect_info info = {
		.context = context,
		.address = host,
		.host = host,
		.port = port,
		.path = buf_text(&target),
		.protocol = protocols[0].name,
		.local_protocol_name = protocols[0].name,
		.userdata = link,
		.pwsi = &link->wsi,
		.ssl_connection = strcmp(scheme, "wss") == 0 ? LCCSCF_USE_SSL : 0,
	};
	if (!lws_client_connect_via_info(&info))
		die("cannot connect to %s: %s", ws_url, *link->reason ? link->reason : "out of memory");
	buf_release(&target);
	free(url);
	return link;
}

static void on_deadline(lws_sorted_usec_list_t *timer)
{
	(void)timer; /* it only has to end lws_service() */
}

json_t *link_next(struct link *link, uint64_t timeout_ms, uint64_t *at_us)
{
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	lws_sorted_usec_list_t timer = { 0 };

	ack_what_was_handed_out(link);
	if (timeout_ms)
		lws_sul_schedule(context, 0, &timer, on_deadline, (lws_usec_t)timeout_ms * 1000);
	while (list_is_empty(&link->arrivals) && !link->is_closed && (!timeout_ms || clock_mono_ms() < deadline))
		lws_service(context, 0);
	if (timeout_ms)
		lws_sul_schedule(context, 0, &timer, NULL, LWS_SET_TIMER_USEC_CANCEL);
	struct list *first = list_pop_front(&link->arrivals);
	if (!first) {
		if (link->is_closed)
			die("%s", link->reason);
		return NULL;
	}
	struct arrival *arrival = container_of(first, struct arrival, link);
	json_t *frame = arrival->frame;
	note_offset(link, frame);
	if (at_us)
		*at_us = arrival->at_us;
	mem_free(arrival);
	return frame;
}

void link_close(struct link *link)
{
	if (link->wsi)
		lws_set_timeout(link->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
	for (struct list *first; (first = list_pop_front(&link->arrivals));) {
		json_decref(container_of(first, struct arrival, link)->frame);
		mem_free(container_of(first, struct arrival, link));
	}
	buf_release(&link->partial);
	mem_free(link);
}

void link_end(void)
{
	if (context)
		lws_context_destroy(context);
	context = NULL;
}
