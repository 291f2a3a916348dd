#ifndef SKEIN_PUSH_INTAKE_LOAD_REPORT_H
#define SKEIN_PUSH_INTAKE_LOAD_REPORT_H

struct conversations;
struct delivery_wait;
struct intake;
struct redis;
struct worker;

/*
 * Tells im through Redis (cluster/push_load.h) how far behind this push is, ten
 * times a second while messages get delivered. While none is delivered it writes
 * nothing, and the last report expires by itself. Thread: the worker's.
 */
struct load_report;

/* `name` must stay valid. */
struct load_report *load_report_new(struct worker *worker, struct redis *redis, const char *name, const struct intake *intake);
void load_report_start(struct load_report *report, const struct conversations *conversations);

/* Call it before Redis is closed. */
void load_report_stop(struct load_report *report);

/* Call it when no message ends any more and the metrics are not read any more. */
void load_report_free(struct load_report *report);

/* The owner of the messages tells it of each one that ended. */
struct delivery_wait *load_report_wait(struct load_report *report);

#endif
