/* Whether a connection may join a room, or publish to it, where only the auth service may know (the rule `ask`). First
 * policy_ask_now(); what it does not know yet, policy_ask_later() asks, and the answer comes when it comes. Without an
 * auth service `ask` denies. Used by workers; a question under way lives until its answer, at most
 * AUTH_SERVICE_TIMEOUT. */
#ifndef MOONX_GATEWAY_ACCESS_POLICY_ASK_H
#define MOONX_GATEWAY_ACCESS_POLICY_ASK_H

#include "gateway/access/policy.h"
#include "gateway/worker.h"

#define POLICY_ASK_MOST 100 /* under way for one connection */

/* POLICY_ALLOW, POLICY_DENY or POLICY_UNAVAILABLE; from the loop, never from within policy_ask_later(). `conn` NULL: it
 * has gone, and all that is left is to free `context`. */
typedef void policy_ask_answer(struct worker *worker, struct conn *conn, void *context,
                               enum policy_result result);

/* POLICY_LATER: it must be asked. Never POLICY_UNAVAILABLE. */
enum policy_result policy_ask_now(const struct worker *worker, const struct conn *conn,
                                  enum policy_action action, struct span room);
/* -EAGAIN: the service is away, or too much is being asked already, to be told as POLICY_UNAVAILABLE; -ENOMEM. */
int policy_ask_later(struct worker *worker, const struct conn *conn, enum policy_action action,
                     struct span room, policy_ask_answer *answer, void *context) MUST_CHECK;

/* Whether the auth service is who decides about this. */
bool policy_ask_rules(const struct worker *worker, const struct conn *conn,
                      enum policy_action action, struct span room);

/* What a client is told: not for POLICY_ALLOW and POLICY_LATER. */
enum error_code policy_ask_error(enum policy_result result);

#endif
