/* How far this client has come: the position of moonx-protocol(7), as the server told it, moved on by the ids of the
 * events since. Sent along when it comes back, so that it gets exactly what it has missed. What a server says is foreign
 * text: every size is bounded. One belongs to a session, for its whole life; no I/O.
 *
 *   {"epoch":"1","topics":{"order.updates":[41,-1,7]}}    + id "order.updates:1:0"    [41,0,7] */
#ifndef MOONX_GATEWAY_CLIENT_CLIENT_POSITION_H
#define MOONX_GATEWAY_CLIENT_CLIENT_POSITION_H

#include "common/json.h"

#define CLIENT_POSITION_MAX_TOPICS     1000u
#define CLIENT_POSITION_MAX_PARTITIONS 20000u /* of all topics together */

struct client_position;

/* One that knows nothing yet. -ENOMEM. */
int client_position_new(struct client_position **out) MUST_CHECK;
void client_position_free(struct client_position *position);

/* Takes the server's word in place of all that was known. -EINVAL: not the shape of a position, or past the limits;
 * -ENOMEM: what was known stays. */
int client_position_set(struct client_position *position, struct json_value told) MUST_CHECK;
/* Forgets; from now on nothing is known until the next client_position_set(). */
void client_position_clear(struct client_position *position);
bool client_position_known(const struct client_position *position);

/* An event has come. Its id moves one entry on, never back. A topic that the position does not name stays unnamed: to
 * name it would ask for all of its other partitions from their start. A new partition of a named one is added. */
void client_position_move(struct client_position *position, struct span id);

/* As JSON, to be freed by the caller. -ENOENT: nothing is known; -ENOMEM. */
int client_position_text(const struct client_position *position, char **out) MUST_CHECK;

#endif
