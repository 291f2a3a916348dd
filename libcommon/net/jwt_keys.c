#include "net/jwt_keys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"
#include "base/text/base64.h"
#include "base/text/json.h"
#include "net/jwk_set.h"
#include "net/jwt_key.h"

#define FILE_MAX_BYTES (256 * 1024)
#define LOOK_MS 1000

/* Tells one content of the file from another, and one mode from another. All zero: there is no file. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* The keys of the file. The last user frees it. */
struct held_set {
	atomic_uint users; /* struct jwt_keys is one of them */
	struct jwk_set keys;
};

struct jwt_keys {
	struct jwt_key secret; /* algorithm HS256; unused without has_secret */
	bool has_secret;
	char *path; /* "": no file */

	uv_mutex_t lock; /* of the pointer: threads use a set while another one replaces it */
	struct held_set *set;
	atomic_uint version;

	/* of the thread that watches */
	struct file_mark seen;
	char fault[128]; /* why the file was refused last, which is not logged again; "": it was not */
	struct worker *worker;
	struct timer timer;
	struct counter *reloads, *refusals;
	struct gauge *count;
};

/* ---- the set: nobody waits for somebody else's verification ---- */

static struct held_set *jwt_keys_hold(struct jwt_keys *keys)
{
	uv_mutex_lock(&keys->lock);
	struct held_set *set = keys->set;
	atomic_fetch_add_explicit(&set->users, 1, memory_order_relaxed);
	uv_mutex_unlock(&keys->lock);
	return set;
}

static void jwt_keys_let_go(struct held_set *set)
{
	if (atomic_fetch_sub_explicit(&set->users, 1, memory_order_acq_rel) != 1)
		return;
	jwk_set_release(&set->keys);
	mem_free(set);
}

static struct held_set *jwt_keys_new_set(const struct jwk_set *keys)
{
	struct held_set *set = MEM_NEW(struct held_set);

	set->keys = *keys;
	atomic_init(&set->users, 1);
	return set;
}

/* ---- the file ---- */

static struct file_mark jwt_keys_mark(const struct jwt_keys *keys)
{
	struct stat found;

	if (stat(keys->path, &found) != 0)
		return (struct file_mark){ 0 };
	return (struct file_mark){ found.st_dev, found.st_ino, found.st_size, found.st_ctim };
}

static bool jwt_keys_is_same(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* NULL, or the fault. */
static const char *jwt_keys_read_content(const struct jwt_keys *keys, struct buf *content)
{
	FILE *file = fopen(keys->path, "re");
	const char *fault = NULL;

	if (!file)
		return strerror(errno);
	content->len = fread(buf_reserve(content, FILE_MAX_BYTES + 1), 1, FILE_MAX_BYTES + 1, file);
	if (ferror(file))
		fault = strerror(errno);
	else if (content->len > FILE_MAX_BYTES)
		fault = "the file has more than 256 KiB";
	fclose(file);
	return fault;
}

static err_t jwt_keys_refuse_file(struct jwt_keys *keys, const char *fault)
{
	if (strcmp(keys->fault, fault) == 0)
		return ERR_BAD_CONFIG;
	snprintf(keys->fault, sizeof(keys->fault), "%s", fault);
	log_error("the keys of tokens cannot be read", LOG_TEXT("file", keys->path), LOG_TEXT("reason", fault));
	counter_add(keys->refusals, 1);
	return ERR_BAD_CONFIG;
}

static void jwt_keys_replace(struct jwt_keys *keys, const struct jwk_set *content)
{
	struct held_set *set = jwt_keys_new_set(content);

	uv_mutex_lock(&keys->lock);
	struct held_set *before = keys->set;
	keys->set = set;
	atomic_fetch_add(&keys->version, 1);
	uv_mutex_unlock(&keys->lock);
	jwt_keys_let_go(before);
	keys->fault[0] = '\0';
	counter_add(keys->reloads, 1);
	gauge_set(keys->count, (int64_t)content->count + keys->has_secret);
	log_info("the keys of tokens are read", LOG_TEXT("file", keys->path), LOG_NUM("keys", content->count));
}

static err_t jwt_keys_read_file(struct jwt_keys *keys)
{
	struct buf content = { 0 };
	struct jwk_set set = { 0 };

	keys->seen = jwt_keys_mark(keys); /* before it is read: a change meanwhile is seen at the next look */
	const char *fault = jwt_keys_read_content(keys, &content);
	if (fault)
		keys->seen = (struct file_mark){ 0 }; /* tried again at the next look: the next time it may be readable */
	else
		fault = jwk_set_read(&set, buf_str(&content), keys->path);
	if (!fault && !set.count && !keys->has_secret) {
		jwk_set_release(&set);
		fault = "the file has no key, and there is no auth.secret";
	}
	buf_release(&content);
	if (fault)
		return jwt_keys_refuse_file(keys, fault);
	jwt_keys_replace(keys, &set);
	return OK;
}

static void jwt_keys_on_timer(struct timer *timer)
{
	struct jwt_keys *keys = container_of(timer, struct jwt_keys, timer);
	struct file_mark now = jwt_keys_mark(keys);

	if (!jwt_keys_is_same(&now, &keys->seen))
		(void)!jwt_keys_read_file(keys); /* logged; the keys stay */
	worker_arm_in(keys->worker, &keys->timer, LOOK_MS);
}

/* ---- life ---- */

static err_t jwt_keys_add_secret(struct jwt_keys *keys, struct str secret)
{
	const char *why = NULL;

	if (!secret.len)
		return OK;
	err_t err = jwt_key_of_secret(&keys->secret, secret, &why);
	keys->has_secret = !err;
	if (err)
		log_error("the secret of tokens cannot be used", LOG_TEXT("reason", why));
	return err;
}

err_t jwt_keys_new(struct jwt_keys **out, struct str secret, const char *path)
{
	const char *reads = "skein_auth_key_files_total",
		   *help = "Key files of tokens that were read, at the start or when changed.";
	struct jwt_keys *keys = MEM_NEW(struct jwt_keys);

	*keys = (struct jwt_keys){
		.path = str_dup(str_from(path)),
		.reloads = metrics_counter(reads, help, "outcome=\"ok\""),
		.refusals = metrics_counter(reads, help, "outcome=\"refused\""),
		.count = metrics_gauge("skein_auth_keys", "Keys that verify tokens.", NULL),
	};
	if (uv_mutex_init(&keys->lock))
		abort(); /* no memory */
	keys->set = jwt_keys_new_set(&(struct jwk_set){ 0 });
	timer_init(&keys->timer, jwt_keys_on_timer);
	err_t err = jwt_keys_add_secret(keys, secret);
	gauge_set(keys->count, keys->has_secret);
	if (!err && *keys->path)
		err = jwt_keys_read_file(keys);
	if (!err && !keys->has_secret && !*keys->path) {
		log_error("there is no key for tokens: auth.secret or auth.jwks must be given");
		err = ERR_BAD_CONFIG;
	}
	if (err) {
		jwt_keys_free(keys);
		return err;
	}
	*out = keys;
	return OK;
}

void jwt_keys_free(struct jwt_keys *keys)
{
	if (!keys)
		return;
	jwt_keys_let_go(keys->set);
	jwt_key_release(&keys->secret);
	uv_mutex_destroy(&keys->lock);
	mem_free(keys->path);
	mem_free(keys);
}

void jwt_keys_watch(struct jwt_keys *keys, struct worker *worker)
{
	keys->worker = worker;
	if (*keys->path)
		worker_arm_in(worker, &keys->timer, LOOK_MS);
}

void jwt_keys_unwatch(struct jwt_keys *keys)
{
	worker_cancel(keys->worker, &keys->timer);
}

unsigned jwt_keys_version(const struct jwt_keys *keys)
{
	return atomic_load_explicit(&keys->version, memory_order_acquire);
}

/* ---- verifying ---- */

static bool jwt_keys_are_for(const struct jwt_key *key, struct str algorithm)
{
	return str_equal(algorithm, jwt_algorithm_name(key->algorithm));
}

static const struct jwt_key *jwt_keys_named(const struct jwk_set *set, struct str kid)
{
	for (size_t i = 0; i < set->count; i++)
		if (kid.len && str_equal(kid, str_from(set->keys[i].kid)))
			return &set->keys[i];
	return NULL;
}

/* Whether a key may verify a token that names none: the key has no name, or is the only one of its algorithm in the file. */
static bool jwt_keys_need_no_name(const struct jwk_set *set, const struct jwt_key *key, struct str kid)
{
	size_t count = 0;

	if (!key->kid[0])
		return true;
	for (size_t i = 0; i < set->count; i++)
		count += set->keys[i].algorithm == key->algorithm;
	return !kid.len && count == 1;
}

static const char *jwt_keys_try_unnamed(const struct jwt_keys *keys, const struct jwk_set *set,
                                        const struct jwt_signature *signature)
{
	const char *fault = "the token names an algorithm or a key that is not known here";

	for (size_t i = 0; i < set->count + keys->has_secret; i++) {
		const struct jwt_key *key = i < set->count ? &set->keys[i] : &keys->secret;
		if (!jwt_keys_are_for(key, signature->algorithm) || !jwt_keys_need_no_name(set, key, signature->kid))
			continue;
		if (jwt_key_verify(key, signature->text, signature->bytes))
			return NULL;
		fault = "the token's signature is wrong";
	}
	return fault;
}

const char *jwt_keys_find_fault(struct jwt_keys *keys, const struct jwt_signature *signature)
{
	struct held_set *set = jwt_keys_hold(keys);
	const struct jwt_key *named = jwt_keys_named(&set->keys, signature->kid);
	const char *fault = NULL;

	if (!named)
		fault = jwt_keys_try_unnamed(keys, &set->keys, signature);
	else if (!jwt_keys_are_for(named, signature->algorithm))
		fault = "the token names another algorithm than its key has";
	else if (!jwt_key_verify(named, signature->text, signature->bytes))
		fault = "the token's signature is wrong";
	jwt_keys_let_go(set);
	return fault;
}

/* ---- signing ---- */

/* NULL: no key signs. */
static const struct jwt_key *jwt_keys_signer(const struct jwt_keys *keys, const struct jwk_set *set)
{
	if (keys->has_secret)
		return &keys->secret;
	for (size_t i = 0; i < set->count; i++)
		if (set->keys[i].can_sign)
			return &set->keys[i];
	return NULL;
}

bool jwt_keys_can_sign(struct jwt_keys *keys)
{
	struct held_set *set = jwt_keys_hold(keys);
	bool can_sign = jwt_keys_signer(keys, &set->keys);

	jwt_keys_let_go(set);
	return can_sign;
}

static void jwt_keys_put_header(const struct jwt_key *key, struct buf *out)
{
	struct buf header = { 0 };

	buf_append_char(&header, '{');
	json_put_field(&header, "alg", jwt_algorithm_name(key->algorithm));
	json_put_field(&header, "typ", STR("JWT"));
	if (key->kid[0])
		json_put_field(&header, "kid", str_from(key->kid));
	buf_append_char(&header, '}');
	base64url_encode(out, buf_str(&header));
	buf_release(&header);
}

static bool jwt_keys_sign_with(const struct jwt_key *key, struct str payload, struct buf *out)
{
	struct buf signature = { 0 };
	size_t start = out->len;

	jwt_keys_put_header(key, out);
	buf_append_char(out, '.');
	base64url_encode(out, payload);
	bool is_signed = jwt_key_sign(key, str_of(out->ptr + start, out->len - start), &signature);
	buf_append_char(out, '.');
	base64url_encode(out, buf_str(&signature));
	buf_release(&signature);
	out->len = is_signed ? out->len : start;
	return is_signed;
}

err_t jwt_keys_sign(struct jwt_keys *keys, struct str payload, struct buf *out)
{
	struct held_set *set = jwt_keys_hold(keys);
	const struct jwt_key *signer = jwt_keys_signer(keys, &set->keys);
	err_t err = OK;

	if (!signer) {
		err = ERR_FAILED_PRECONDITION;
	} else if (!jwt_keys_sign_with(signer, payload, out)) {
		log_error("OpenSSL could not sign a token");
		err = ERR_INTERNAL;
	}
	jwt_keys_let_go(set);
	return err;
}
