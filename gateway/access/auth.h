/* Verifying tokens. One verifier now: shared secret (HS256/384/512). */
#ifndef MOONX_GATEWAY_ACCESS_AUTH_H
#define MOONX_GATEWAY_ACCESS_AUTH_H

#include "common/code_table.h"
#include "common/option.h"
#include "common/secret.h"
#include "gateway/access/identity.h"

struct auth;

/* Takes the secret from the options (text, file, or in --dev the file in dev_directory); a failure has one
 * line in `error` that names the option and what to do. Call before privileges are dropped. */
int auth_new(const struct options *options, bool dev, struct auth **out, char *error,
             size_t error_size) MUST_CHECK;
void auth_free(struct auth *auth);

/* 0: *out is filled. Otherwise -EACCES and *code says what the client is told (INVALID_TOKEN,
 * TOKEN_EXPIRED, INVALID_USER_ID); nothing more detailed ever leaves the process. */
int auth_verify(const struct auth *auth, struct span token, int64_t now_wall_ms, struct identity *out,
                enum error_code *code) MUST_CHECK;

/* Mints a token with the configured secret and first algorithm (the `token` subcommand and --dev's demo
 * token). *out is malloc'd and NUL-terminated. */
int auth_mint(const struct auth *auth, const struct identity *identity, int64_t now_wall_ms, long long ttl_s,
              char **out) MUST_CHECK;

#endif
