/* The auth service as a verifier (AUTH_SERVICE_URL): POST {"token"} and `{"user":{"id","email","roles","isActive"}}` or
 * 401 come back. Asked for tokens that no configured key has verified. A worker's own: its connections to the
 * service, a circuit breaker, and what the service has said lately. Part of `struct auth`. */
#ifndef MOONX_GATEWAY_ACCESS_AUTH_SERVICE_H
#define MOONX_GATEWAY_ACCESS_AUTH_SERVICE_H

#include "common/code_table.h"
#include "common/option.h"
#include "gateway/access/identity.h"

struct auth_service;
struct event_base;
struct http_tls;
struct stats;

/* How long an answer is believed without asking again: so long may a user who was deactivated still get in. */
#define AUTH_SERVICE_REMEMBER_MS 60000
/* A token that doesn't say when it expires is asked for anew after so long. */
#define AUTH_SERVICE_SESSION_MS 3600000

/* `identity` NULL: refused, *code* says why. Called from the loop, never from within auth_service_ask(). */
typedef void auth_answer(void *context, const struct identity *identity, enum error_code code);

/* *out stays NULL when no service is configured. `error` has one line that names the option. */
int auth_service_new(const struct options *options, struct auth_service **out, char *error,
                     size_t error_size) MUST_CHECK;
void auth_service_free(struct auth_service *service);

/* Which claims of a user are kept: as long as the service; NULL: none. */
void auth_service_keep_claims(struct auth_service *service, const struct room_claim_names *names);

/* Begins to serve on this loop; auth_service_stop() before the loop goes. Calls under way end with `answer`
 * called with ERROR_CODE_COUNT: no answer will come. -ENOMEM. */
int auth_service_start(struct auth_service *service, struct event_base *base,
                       const struct http_tls *tls, struct stats *stats) MUST_CHECK;
void auth_service_stop(struct auth_service *service);

/* True: *out is what the service has said of this token lately. */
bool auth_service_recall(struct auth_service *service, struct span token, int64_t now_wall_ms,
                         struct identity *out);
/* Asks. -EAGAIN: the service is away, or too many wait for it already; -ENOMEM. */
int auth_service_ask(struct auth_service *service, struct span token, auth_answer *answer,
                     void *context) MUST_CHECK;

/* The circuit breaker, for other questions to the same service (auth_rooms.h). True: it may be asked, and what became of
 * it must be reported. `fault` NULL: it has answered as it should. */
bool auth_service_allows(struct auth_service *service) MUST_CHECK;
void auth_service_report(struct auth_service *service, const char *fault);
/* Instead of it, when the question has never been put: too many wait, or no memory. That says nothing about the service;
 * thousands who come back at once shall not have it taken for dead. Only a probe is over then. */
void auth_service_unasked(struct auth_service *service);

/* Whether it is the status of an answer: 200, or 201, which some frameworks give every POST. */
bool auth_service_answers(int status);
/* What an answer means whose status is no refusal, for a token that ends at expires_ms. 0; -EACCES with *code: refused;
 * -EPROTO: it is none of the service's. Pure. */
int auth_service_read(struct span body, int64_t expires_ms,
                      const struct room_claim_names *room_claims, struct identity *out,
                      enum error_code *code) MUST_CHECK;

#endif
