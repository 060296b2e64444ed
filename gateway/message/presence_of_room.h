/* `presence` {room}: who is in it. Who may join the room, or is in it, may know who else is; where only the auth service
 * can tell, it is asked first. */
#ifndef MOONX_GATEWAY_MESSAGE_PRESENCE_OF_ROOM_H
#define MOONX_GATEWAY_MESSAGE_PRESENCE_OF_ROOM_H

#include "gateway/worker.h"

#include <cjson/cJSON.h>

/* `room` is a string of the message, `ref` the message's or NULL. The answer comes in a later turn, or at once when it is
 * an error. */
void presence_of_room(struct worker *worker, struct conn *conn, const cJSON *room, const char *ref);

#endif
