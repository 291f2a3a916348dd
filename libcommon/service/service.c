#include "service/service.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/telemetry/log.h"

/* Status for a command line, environment or file with an invalid option. */
#define EXIT_BAD_CONFIG 2

static void service_leave_at_once(int number)
{
	_exit(128 + number); /* as a shell reports a process that a signal has ended */
}

/* For the time before signals_init(): the kernel drops a SIGTERM without a handler for process 1, which a container's is. */
static void service_watch_early_signals(void)
{
	const struct sigaction leave = { .sa_handler = service_leave_at_once };

	sigaction(SIGTERM, &leave, NULL);
	sigaction(SIGINT, &leave, NULL);
}

static void service_on_terminate(void *arg)
{
	struct service *service = arg;

	internal_server_drain(service->internal);
	service->definition->drain(service->definition->app);
}

static void service_on_reload(void *arg)
{
	struct service *service = arg;
	const struct service_definition *definition = service->definition;

	if (config_reload(definition->config_table, definition->config))
		return; /* logged; the options are unchanged */
	log_set_level((enum log_level)definition->common->log_level);
	if (definition->reloaded)
		definition->reloaded(definition->app);
}

static int service_run(struct service *service)
{
	const struct service_definition *definition = service->definition;
	const char *program = definition->config_table->program;
	err_t err = OK;

	if (definition->prepare)
		err = definition->prepare(definition->app);
	if (!err)
		err = worker_init(&service->worker, "main");
	if (!err)
		err = signals_init(&service->signals, &service->worker, service_on_terminate, service_on_reload, service);
	if (!err)
		err = definition->start(definition->app);
	if (!err)
		err = internal_server_new(&service->internal, &service->worker, definition->common->internal_listen,
		                          definition->checks, definition->check_count);
	if (err) {
		log_error("service could not start", LOG_TEXT("service", program), LOG_ERR(err));
		return EXIT_FAILURE;
	}
	log_info("service is up", LOG_TEXT("service", program), LOG_TEXT("internal", definition->common->internal_listen),
	         LOG_TEXT("version", skein_version));
	worker_run(&service->worker);
	worker_join(&service->worker);
	if (definition->release)
		definition->release(definition->app);
	config_release(definition->config_table, definition->config);
	log_info("service has left", LOG_TEXT("service", program), LOG_NUM("status", service->exit_status));
	return service->exit_status;
}

int service_main(struct service *service, const struct service_definition *definition, int argc, char **argv)
{
	enum config_action action;
	int status = EXIT_SUCCESS;

	if (config_load(definition->config_table, argc, argv, definition->config, &action))
		return EXIT_BAD_CONFIG;
	service->definition = definition;
	service_watch_early_signals();
	if (action != CONFIG_EXIT)
		log_configure(definition->common->node_name, (enum log_level)definition->common->log_level,
		              (enum log_format)definition->common->log_format);
	if (action == CONFIG_RUN)
		return service_run(service);
	if (action == CONFIG_MIGRATE)
		status = definition->migrate(definition->app) ? EXIT_FAILURE : EXIT_SUCCESS;
	config_release(definition->config_table, definition->config);
	return status;
}

void service_fail(struct service *service)
{
	service->exit_status = EXIT_FAILURE;
	if (service->internal)
		internal_server_drain(service->internal);
}

static void service_on_internal_closed(void *arg)
{
	struct service *service = arg;

	worker_stop(&service->worker);
}

void service_leave(struct service *service)
{
	signals_close(&service->signals);
	internal_server_close(service->internal, service_on_internal_closed, service);
}
