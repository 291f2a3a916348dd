#include "store/redis/redis_script.h"

#include <openssl/sha.h>
#include <pthread.h>

void redis_script_prepare(struct redis_script *script)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	unsigned char sha[SHA_DIGEST_LENGTH];

	if (atomic_load_explicit(&script->has_sha, memory_order_acquire))
		return;
	pthread_mutex_lock(&lock);
	/* Another thread may have computed it meanwhile; `sha` must not be written after has_sha is set. */
	if (!atomic_load_explicit(&script->has_sha, memory_order_relaxed)) {
		SHA1((const unsigned char *)script->source, strlen(script->source), sha);
		for (size_t i = 0; i < sizeof(sha); i++) {
			script->sha[2 * i] = "0123456789abcdef"[sha[i] >> 4];
			script->sha[2 * i + 1] = "0123456789abcdef"[sha[i] & 15];
		}
		atomic_store_explicit(&script->has_sha, true, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
}
