/* The rooms that a connection joins by itself when it has authenticated: AUTO_JOIN_ROOMS, names separated
 * by commas in which `{userId}` stands for the connection's own user. Used by workers; the text is walked
 * where it lies, in the options. */
#ifndef MOONX_GATEWAY_MESSAGE_AUTO_JOIN_H
#define MOONX_GATEWAY_MESSAGE_AUTO_JOIN_H

#include "gateway/worker.h"

#include <cjson/cJSON.h>

#define AUTO_JOIN_MAX_ROOMS 64

/* At start and for --check-config: -EINVAL with one line in `error` that names the option, the value and
 * what is allowed. What passes yields a valid room name for every valid user id. */
int auto_join_check(const char *rooms, char *error, size_t error_size) MUST_CHECK;

/* True when the list names this room for this user. */
bool auto_join_names(const char *rooms, struct span user_id, struct span room);

/* Joins them, and adds to the array `joined` the name of each that the connection is now in. A room that
 * the policy denies to this user (`role:admin` to somebody else) is left out; one that the policy has never
 * heard of is joined, since the operator has named it. One that the auth service must be asked about (`ask`) is
 * joined when it has answered, as if the client had subscribed. -ENOMEM. */
int auto_join_rooms(struct worker *worker, struct conn *conn, cJSON *joined) MUST_CHECK;

#endif
