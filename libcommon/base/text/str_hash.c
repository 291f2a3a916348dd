#include "base/text/str.h"

#include <endian.h>
#include <pthread.h>

#include "base/random.h"

/*
 * SipHash-1-3 (Aumasson and Bernstein): one round for every 8 bytes, three at
 * the end. Scripting languages use it for their tables: an attacker who does not
 * know the key cannot make texts collide. Words are read little-endian, so that
 * str_hash_stable() is the same on every machine.
 */

struct sip_key {
	uint64_t k0, k1;
};

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_absorb(struct sip_state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t sip_hash(const struct sip_key *key, struct str text)
{
	struct sip_state s = {
		key->k0 ^ 0x736f6d6570736575u,
		key->k1 ^ 0x646f72616e646f6du,
		key->k0 ^ 0x6c7967656e657261u,
		key->k1 ^ 0x7465646279746573u,
	};
	const char *at = text.ptr;
	size_t left = text.len;
	uint64_t word;

	for (; left >= sizeof(word); at += sizeof(word), left -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sip_absorb(&s, le64toh(word));
	}
	word = (uint64_t)text.len << 56;
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)(unsigned char)at[i] << (8 * i);
	sip_absorb(&s, word);

	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static struct sip_key process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void draw_process_key(void)
{
	random_bytes(&process_key, sizeof(process_key));
}

uint64_t str_hash(struct str s)
{
	pthread_once(&process_key_once, draw_process_key);
	return sip_hash(&process_key, s);
}

uint64_t str_hash_stable(struct str s)
{
	/* Never change it: processes of different versions must agree. */
	static const struct sip_key stable_key = { 0, 0 };

	return sip_hash(&stable_key, s);
}
