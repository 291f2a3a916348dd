#include "net/jwk_set.h"

#include <string.h>

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "net/jwk.h"

static bool jwk_set_has_kid(const struct jwk_set *set, const char *kid)
{
	for (size_t i = 0; i < set->count; i++)
		if (*kid && strcmp(set->keys[i].kid, kid) == 0)
			return true;
	return false;
}

static size_t jwk_set_unnamed(const struct jwk_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i < set->count; i++)
		count += !set->keys[i].kid[0];
	return count;
}

static const char *jwk_set_add(struct jwk_set *set, const json_t *jwk, const char *path)
{
	struct jwt_key key;
	const char *why = NULL, *kid = json_string_value(json_object_get(jwk, "kid"));

	if (!jwk_read(jwk, &key, &why)) {
		log_warn("a key is left out", LOG_TEXT("file", path), LOG_TEXT("kid", kid ? kid : ""), LOG_TEXT("reason", why));
		return NULL;
	}
	if (jwk_set_has_kid(set, key.kid)) {
		jwt_key_release(&key);
		return "two keys have the same kid";
	}
	set->keys[set->count++] = key;
	return NULL;
}

static const char *jwk_set_add_all(struct jwk_set *set, const json_t *items, const char *path)
{
	const char *fault = NULL;

	if (!json_is_array(items))
		return "the file is no JWK set: {\"keys\": [...]}";
	if (json_array_size(items) > JWK_SET_MAX)
		return "the file has more than 32 keys";
	set->keys = mem_alloc(JWK_SET_MAX * sizeof(*set->keys));
	for (size_t i = 0; i < json_array_size(items) && !fault; i++)
		fault = jwk_set_add(set, json_array_get(items, i), path);
	if (!fault && set->count == 0 && json_array_size(items) > 0)
		fault = "the file has no key for tokens";
	if (!fault && jwk_set_unnamed(set) > JWK_SET_UNNAMED_MAX)
		fault = "the file has more than 4 keys without a kid";
	return fault;
}

const char *jwk_set_read(struct jwk_set *set, struct str text, const char *path)
{
	struct json_error error = { 0 };
	json_t *root = json_read(text, &error);

	*set = (struct jwk_set){ 0 };
	const char *fault = jwk_set_add_all(set, json_object_get(root, "keys"), path);
	if (fault)
		jwk_set_release(set);
	json_decref(root);
	return fault;
}

void jwk_set_release(struct jwk_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		jwt_key_release(&set->keys[i]);
	mem_free(set->keys);
	*set = (struct jwk_set){ 0 };
}
