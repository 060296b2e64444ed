/* Whether a token may be used, from all that knows about it: the keys and the auth service (auth.h), and the revocations,
 * which the host reads from the control topic at its start. What can't be known yet is found out later: a token that no
 * key refuses waits until the revocations have been read or Kafka turns out to be away (revocation.h), for
 * TOKEN_VERIFY_HOLD_MS at most, and is then judged; so
 * clients that come in the first moments of a host are not turned away. Used by workers, one a process; what waits is
 * the token's text and lives until its answer. */
#ifndef MOONX_GATEWAY_ACCESS_TOKEN_VERIFY_H
#define MOONX_GATEWAY_ACCESS_TOKEN_VERIFY_H

#include "gateway/worker.h"

#define TOKEN_VERIFY_HOLD_MS 5000 /* and half of AUTH_TIMEOUT, if that is less */
#define TOKEN_VERIFY_MOST    4096 /* that wait */

/* As auth_verify(). -EINPROGRESS: token_verify_later() finds out. */
int token_verify(const struct worker *worker, struct span token, struct identity *out,
                 enum error_code *code) MUST_CHECK;
/* For a token of which token_verify() has said so. As auth_service_ask(); the revocations that came meanwhile are
 * the caller's to check (revocation.h). -EAGAIN: too many wait, or nobody can be asked; -ENOMEM. */
int token_verify_later(struct worker *worker, struct span token, auth_answer *answer,
                       void *context) MUST_CHECK;

/* Every tick: those whose wait is over are judged. */
void token_verify_tick(struct worker *worker);
/* No answer will come to those who wait: they are told ERROR_CODE_COUNT. */
void token_verify_stop(void);

#endif
