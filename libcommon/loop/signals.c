#include "loop/signals.h"

#include <signal.h>
#include <unistd.h>

#include "base/telemetry/log.h"

static void signals_on_terminate(uv_signal_t *handle, int number)
{
	struct signals *signals = handle->data;

	if (signals->is_terminating) {
		log_warn("second signal, leaving without a drain", LOG_NUM("signal", number));
		_exit(1);
	}
	signals->is_terminating = true;
	log_info("draining", LOG_NUM("signal", number));
	signals->on_terminate(signals->arg);
}

static void signals_on_reload(uv_signal_t *handle, int number)
{
	struct signals *signals = handle->data;

	(void)number;
	if (signals->on_reload)
		signals->on_reload(signals->arg);
}

static err_t signals_watch(struct signals *signals, struct worker *worker, uv_signal_t *handle, uv_signal_cb callback, int number)
{
	if (uv_signal_init(&worker->loop, handle))
		return ERR_NO_MEMORY;
	handle->data = signals;
	return uv_signal_start(handle, callback, number) ? ERR_INTERNAL : OK;
}

err_t signals_init(struct signals *signals, struct worker *worker, void (*terminate)(void *arg), void (*reload)(void *arg),
                   void *arg)
{
	*signals = (struct signals){ .on_terminate = terminate, .on_reload = reload, .arg = arg };
	err_t err = signals_watch(signals, worker, &signals->terminate, signals_on_terminate, SIGTERM);
	if (!err)
		err = signals_watch(signals, worker, &signals->interrupt, signals_on_terminate, SIGINT);
	if (!err)
		err = signals_watch(signals, worker, &signals->reload, signals_on_reload, SIGHUP);
	return err;
}

void signals_close(struct signals *signals)
{
	uv_close((uv_handle_t *)&signals->terminate, NULL);
	uv_close((uv_handle_t *)&signals->interrupt, NULL);
	uv_close((uv_handle_t *)&signals->reload, NULL);
}
