/* A client names a channel, the server maps it to rooms: `orders`, `portfolio`, `user_specific` are the
 * caller's own, `notifications` is the broadcast room and the caller's own, any other name is the room. */
#ifndef MOONX_GATEWAY_MESSAGE_CHANNEL_H
#define MOONX_GATEWAY_MESSAGE_CHANNEL_H

#include "common/room_name.h"

#define CHANNEL_MAX_ROOMS 2

struct channel_rooms {
    unsigned count;
    char names[CHANNEL_MAX_ROOMS][ROOM_NAME_MAX_BYTES + 1];
};

/* -EINVAL: the name (or what comes out of it) is no valid room name. */
int channel_rooms(struct span channel, struct span user_id, struct channel_rooms *out) MUST_CHECK;

#endif
