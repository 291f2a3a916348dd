#include "im/accounts/password_pool.h"

#include <openssl/crypto.h>

#include "base/mem.h"

struct password_work {
	uv_work_t work;
	struct password_pool *passwords;
	char password[PASSWORD_MAX_BYTES];
	size_t password_len;
	char text[PASSWORD_TEXT_SIZE];
	bool matches;
	void (*hashed)(void *arg, const char *text); /* this one or `matched` is set */
	void (*matched)(void *arg, bool matches);
	void *arg;
};

static int64_t password_pool_read_waiting(void *arg)
{
	return ((const struct password_pool *)arg)->waiting;
}

void password_pool_init(struct password_pool *passwords, struct worker *worker, const int64_t *max, const char *labels)
{
	*passwords = (struct password_pool){
		.worker = worker,
		.max = max,
		.taken = metrics_counter("skein_im_passwords_total",
		                         "Passwords that were hashed, to be stored or compared.", labels),
		.refused = metrics_counter("skein_im_passwords_refused_total",
		                           "Passwords that were not hashed because too many were.", labels),
	};
	metrics_gauge_fn("skein_im_passwords_waiting", "Passwords that are hashed or wait for it.", labels,
	                 password_pool_read_waiting, passwords);
}

static void password_pool_run(uv_work_t *work)
{
	struct password_work *job = container_of(work, struct password_work, work);
	struct str password = str_of(job->password, job->password_len);

	if (job->hashed)
		password_hash(job->text, password);
	else
		job->matches = password_matches(str_from(job->text), password);
}

static void password_pool_on_done(uv_work_t *work, int status)
{
	struct password_work *job = container_of(work, struct password_work, work);
	(void)status; /* nothing is ever cancelled */

	OPENSSL_cleanse(job->password, sizeof(job->password));
	job->passwords->waiting--;
	if (job->hashed)
		job->hashed(job->arg, job->text);
	else
		job->matched(job->arg, job->matches);
	mem_free(job);
}

/* NULL when too many wait. */
static struct password_work *password_pool_new_work(struct password_pool *passwords, struct str password, void *arg)
{
	if (passwords->waiting >= (uint64_t)*passwords->max || password.len > PASSWORD_MAX_BYTES) {
		counter_add(passwords->refused, 1);
		return NULL;
	}
	struct password_work *job = MEM_NEW(struct password_work);
	job->passwords = passwords;
	job->arg = arg;
	memcpy(job->password, password.ptr, password.len);
	job->password_len = password.len;
	passwords->waiting++;
	counter_add(passwords->taken, 1);
	return job;
}

err_t password_pool_hash(struct password_pool *passwords, struct str password, void (*done)(void *arg, const char *text),
                         void *arg)
{
	struct password_work *job = password_pool_new_work(passwords, password, arg);

	if (!job)
		return ERR_UNAVAILABLE;
	job->hashed = done;
	uv_queue_work(&passwords->worker->loop, &job->work, password_pool_run, password_pool_on_done);
	return OK;
}

err_t password_pool_match(struct password_pool *passwords, struct str text, struct str password,
                          void (*done)(void *arg, bool matches), void *arg)
{
	struct password_work *job = password_pool_new_work(passwords, password, arg);

	if (!job)
		return ERR_UNAVAILABLE;
	/* A text that does not fit is no hash of ours. It is left empty, and does not match. */
	(void)str_copy(job->text, sizeof(job->text), text);
	job->matched = done;
	uv_queue_work(&passwords->worker->loop, &job->work, password_pool_run, password_pool_on_done);
	return OK;
}
