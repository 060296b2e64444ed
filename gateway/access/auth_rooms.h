/* The auth service, asked whether a user may join a room or publish to it (the rule `ask` of the rooms table): POST
 * {"userId","room","action":"join"|"publish"}, answered by {"allowed":bool,"ttl"?:seconds}. An answer is believed for
 * its ttl, a refusal too; who asks the same meanwhile waits for the one answer. It shares the circuit breaker of the
 * tokens' questions: the service is one. A worker's own, part of `struct auth`; bounded everywhere. */
#ifndef MOONX_GATEWAY_ACCESS_AUTH_ROOMS_H
#define MOONX_GATEWAY_ACCESS_AUTH_ROOMS_H

#include "common/option.h"
#include "gateway/access/auth_service.h"
#include "gateway/access/policy.h"

#define AUTH_ROOMS_ANSWERS     16384 /* remembered */
#define AUTH_ROOMS_WAITERS     16384
#define AUTH_ROOMS_TTL_S       60 /* of an answer that names none */
#define AUTH_ROOMS_TTL_LEAST_S 1
#define AUTH_ROOMS_TTL_MOST_S  86400

struct auth_rooms;

struct auth_rooms_question {
    enum policy_action action;
    struct span user_id, room;
};

/* POLICY_ALLOW, POLICY_DENY, or POLICY_UNAVAILABLE: the service is away. From the loop, never from within the call. */
typedef void auth_rooms_answer(void *context, enum policy_result result);

/* `service` is not NULL and outlives it. `error` has one line that names the option. */
int auth_rooms_new(const struct options *options, struct auth_service *service,
                   struct auth_rooms **out, char *error, size_t error_size) MUST_CHECK;
void auth_rooms_free(struct auth_rooms *rooms);
/* As auth_service_start() and auth_service_stop(); who waits when it stops is told POLICY_UNAVAILABLE. */
int auth_rooms_start(struct auth_rooms *rooms, struct event_base *base, const struct http_tls *tls,
                     struct stats *stats) MUST_CHECK;
void auth_rooms_stop(struct auth_rooms *rooms);

/* What is remembered, and for how long still; POLICY_LATER: nothing, it must be asked. `left_ms` may be NULL. */
enum policy_result auth_rooms_recall(struct auth_rooms *rooms,
                                     const struct auth_rooms_question *question, uint64_t *left_ms);
/* -EAGAIN: the service is away, or too many wait already; -ENOMEM. */
int auth_rooms_ask(struct auth_rooms *rooms, const struct auth_rooms_question *question,
                   auth_rooms_answer *answer, void *context) MUST_CHECK;

/* What the body of an answer with status 200 means. 0; -EPROTO: it is none of the service's. Pure. */
int auth_rooms_read(struct span body, bool *allowed, unsigned *ttl_s) MUST_CHECK;

#endif
