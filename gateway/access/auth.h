/* Verifying tokens, whatever they are verified with: a shared secret, a public key, a set of keys. Owned by a
 * worker for as long as it lives; the `token` subcommand makes one of its own. */
#ifndef MOONX_GATEWAY_ACCESS_AUTH_H
#define MOONX_GATEWAY_ACCESS_AUTH_H

#include "common/code_table.h"
#include "common/option.h"
#include "common/secret.h"
#include "gateway/access/auth_rooms.h"
#include "gateway/access/auth_service.h"
#include "gateway/access/identity.h"

struct auth;

/* Takes secret and keys from the options (in --dev without a secret: the file in dev_directory); a failure
 * has one line in `error` that names the option and what to do. Call before privileges are dropped. */
int auth_new(const struct options *options, bool dev, struct auth **out, char *error,
             size_t error_size) MUST_CHECK;
void auth_free(struct auth *auth);

/* What the operator should know though it stops nothing (a secret shorter than RFC 7518 section 3.2 asks for, keys of
 * a file that are passed over), lines for the log of whoever called auth_new(): number 0 and up, NULL behind the last. Live
 * as long as `auth`. */
const char *auth_warning(const struct auth *auth, unsigned number);

/* Which claims of tokens are kept for the rooms table; as long as `auth`. */
void auth_keep_claims(struct auth *auth, const struct room_claim_names *names);

/* Begins to use the auth service, if one is configured, on this loop; auth_stop() before the loop goes. -ENOMEM. */
int auth_start(struct auth *auth, struct event_base *base, struct stats *stats) MUST_CHECK;
void auth_stop(struct auth *auth);
/* After a reload, both started: keys that an issuer has published stay until it has been asked again. `old` is only to
 * be freed then. */
void auth_adopt(struct auth *auth, struct auth *old);

/* 0: *out is filled. -EINPROGRESS: only the auth service can tell, auth_ask() it; *code is AUTH_UNAVAILABLE for
 * whoever can't wait. Otherwise -EACCES and *code says what the client is told (INVALID_TOKEN,
 * TOKEN_EXPIRED, INVALID_USER_ID, USER_INACTIVE; AUTH_UNAVAILABLE: its key is being fetched, or can't be at the moment); nothing more detailed
 * ever leaves the process. */
int auth_verify(const struct auth *auth, struct span token, int64_t now_wall_ms,
                struct identity *out, enum error_code *code) MUST_CHECK;

/* What answers questions about rooms; NULL: nobody does. */
struct auth_rooms *auth_rooms(const struct auth *auth);

/* As auth_service_ask(). */
int auth_ask(struct auth *auth, struct span token, auth_answer *answer, void *context) MUST_CHECK;

/* Mints a token with the configured secret and its first algorithm (the `token` subcommand and --dev's demo
 * token), with `iss` and `aud` as this gateway wants them. *out is malloc'd and NUL-terminated. -EINVAL when
 * auth_verify() would refuse the user id; -ENOKEY without a secret; -ENOSPC, -ENOMEM. identity->expires_ms does not count. */
int auth_mint(const struct auth *auth, const struct identity *identity, int64_t now_wall_ms,
              long long ttl_s, char **out) MUST_CHECK;

#endif
