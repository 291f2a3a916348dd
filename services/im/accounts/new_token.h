#ifndef SKEIN_IM_ACCOUNTS_NEW_TOKEN_H
#define SKEIN_IM_ACCOUNTS_NEW_TOKEN_H

#include "im/accounts/accounts.h"
#include "im/http/call.h"

/* The tokens that im issues itself: at a login, for a bot, and in exchange for another one. Times are whole seconds, as in JWTs. */

/* Of a bot's token, which is valid until it is logged out: a hundred years. */
#define NEW_TOKEN_BOT_LIFE_MS (36525 * 86400000ull)

/*
 * The first token of a family: issued now, or a second after the user's last logout of all where that is later (`logged_out_ms`;
 * -1: none). The uid and the times are set; the caller may change the latter before the token is signed.
 */
void new_token_begin(const struct accounts *accounts, struct jwt_claims *claims, struct str uid, int64_t logged_out_ms);

/*
 * What replaces a token that was verified: of the same family, no longer valid than `old` was, and not beyond the family's
 * first token by more than auth.session_max. ERR_UNAUTHENTICATED: `old` does not say when it was issued, or the family is over.
 */
err_t new_token_refresh(const struct accounts *accounts, const struct jwt_claims *old, struct jwt_claims *claims) MUST_CHECK;

/* How long a logout of this token's family has to be remembered: until no token of it can be valid. */
uint64_t new_token_family_end_ms(const struct accounts *accounts, const struct jwt_claims *claims);

/*
 * Whether im has a key that signs. Otherwise the call has failed with 409: the tokens come from the server of the app, whose
 * public keys are all that im has. A call asks before it changes anything; the key may still go until the token is signed.
 */
bool new_token_has_key(struct call *call, const struct accounts *accounts) MUST_CHECK;

/* Appends the token; no cache may keep the answer then. False if it could not be signed; then the call has failed. */
bool new_token_sign(struct call *call, const struct accounts *accounts, const struct jwt_claims *claims, struct str scope,
                    struct buf *token) MUST_CHECK;

/* Answers {token, expires_at}. `scope` may be empty. */
void new_token_answer(struct call *call, const struct accounts *accounts, const struct jwt_claims *claims, struct str scope);

#endif
