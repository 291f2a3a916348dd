#include "base/telemetry/log.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/telemetry/log_line.h"
#include "base/macros.h"

#define WINDOW_COUNT_BITS 8

static_assert(LOG_BURST < 1 << WINDOW_COUNT_BITS, "the count of a window fits");

static struct {
	atomic_int level;
	atomic_int fd;
	atomic_int format;
	char node_name[65]; /* written before there are threads */
} log_state = { .level = LOG_INFO, .fd = 2 };

bool log_is_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

void log_set_fd(int fd)
{
	atomic_store_explicit(&log_state.fd, fd, memory_order_relaxed);
}

void log_configure(const char *node_name, enum log_level level, enum log_format format)
{
	struct str name = str_from(node_name);
	size_t len = MIN(name.len, sizeof(log_state.node_name) - 1);

	/* The name stands unquoted between the level and the event. */
	for (size_t i = 0; i < len; i++)
		log_state.node_name[i] = name.ptr[i] > ' ' && name.ptr[i] < 0x7f ? name.ptr[i] : '_';
	log_state.node_name[len] = '\0';
	atomic_store_explicit(&log_state.format, (int)format, memory_order_relaxed);
	log_set_level(level);
}

/* Second and count are one atomic word, so threads together never exceed the burst. */
static bool log_is_within_burst(struct log_site *site)
{
	uint64_t second = clock_mono_us() / 1000000;
	uint64_t seen = atomic_load_explicit(&site->window, memory_order_relaxed);
	uint64_t next;

	do {
		bool is_same_second = seen >> WINDOW_COUNT_BITS == second;
		uint64_t count = is_same_second ? seen & ((1u << WINDOW_COUNT_BITS) - 1) : 0;
		if (count >= LOG_BURST)
			return false;
		next = second << WINDOW_COUNT_BITS | (count + 1);
	} while (!atomic_compare_exchange_weak_explicit(&site->window, &seen, next, memory_order_relaxed,
	                                                memory_order_relaxed));
	return true;
}

static void log_write_out(struct str line)
{
	int fd = atomic_load_explicit(&log_state.fd, memory_order_relaxed);

	while (line.len) {
		ssize_t written = write(fd, line.ptr, line.len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return; /* there is no other place to report it */
		line = str_of(line.ptr + written, line.len - (size_t)written);
	}
}

void log_write(struct log_site *site, enum log_level level, const char *event, const struct log_field *fields)
{
	int saved_errno = errno;

	/* Debug lines are not limited. */
	if (level == LOG_DEBUG || log_is_within_burst(site)) {
		enum log_format format = (enum log_format)atomic_load_explicit(&log_state.format, memory_order_relaxed);
		struct log_line line;
		log_line_begin(&line, format, clock_wall_ms());
		log_line_event(&line, level, log_state.node_name, event);
		for (const struct log_field *field = fields; field->key; field++)
			log_line_field(&line, field);
		log_write_out(log_line_end(&line, atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed)));
	} else {
		atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
	}
	errno = saved_errno;
}
