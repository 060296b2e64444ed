/* Whether a token that has been found good may still be used: the question to the host's table of revocations
 * (shm/revocations.h), asked at every sign-in whatever has verified the token, a cache or the auth service included.
 * Used by workers; keeps nothing but the marks that a connection's side table holds. */
#ifndef MOONX_GATEWAY_ACCESS_REVOCATION_H
#define MOONX_GATEWAY_ACCESS_REVOCATION_H

#include "common/code_table.h"
#include "gateway/access/identity.h"
#include "gateway/worker.h"

/* What of a token is remembered as long as its connection lives, so that it can be found again. */
struct revocation_marks {
    uint64_t issued_ms;   /* 0: it doesn't say, so it counts as issued before any time */
    uint64_t session_key; /* of `sid`, 0: none */
    uint64_t token_key;   /* of `jti`, 0: none */
};

void revocation_marks_of(const struct worker *worker, const struct identity *identity,
                         struct revocation_marks *marks);

/* True: the token with these marks is revoked, for its user, its session, itself or for everybody. */
bool revocation_stands(const struct worker *worker, struct span user_id,
                       const struct revocation_marks *marks);

/* From ingest's start, or Kafka's last word, so long nobody is let in before the control topic has been read. */
#define REVOCATION_SILENCE_MS 5000

/* Whether the control topic has been read, so that it is known what is revoked; then for good. Or nothing can be known:
 * revocation_unknowable(). */
bool revocation_known(const struct worker *worker);
/* The control topic has not been read, and Kafka has not answered for REVOCATION_SILENCE_MS: it is away altogether, so
 * there is nothing to be seen here either. Who comes now is let in, and is closed when Kafka says that he is revoked. A
 * Kafka that answers, but keeps the control topic to itself, is another matter. */
bool revocation_unknowable(const struct worker *worker);

/* ERROR_CODE_COUNT: it may be used; TOKEN_REVOKED; AUTH_UNAVAILABLE: the control topic has not been read yet, so
 * that nobody knows. */
enum error_code revocation_check(const struct worker *worker, const struct identity *identity);

#endif
