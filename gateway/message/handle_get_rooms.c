/* `get_rooms`: `rooms` {rooms}, by full name. */
#include "gateway/connection/conn.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"

struct listing {
    cJSON *rooms;
    bool complete;
};

static conn_room_visit add_room;

void handle_get_rooms(struct worker *worker, struct conn *conn, const struct message *message) {
    cJSON *data = cJSON_CreateObject();
    struct listing listing = {.rooms = cJSON_AddArrayToObject(data, "rooms")};

    listing.complete = listing.rooms != NULL;
    conn_each_room(worker, conn, add_room, &listing);
    reply_send(worker, conn, "rooms", reply_data(data, listing.complete), message->ref);
}

static void add_room(void *context, struct span room) {
    struct listing *listing = context;
    char name[ROOM_NAME_MAX_BYTES + 1];

    if (!listing->complete || room.length > ROOM_NAME_MAX_BYTES) {
        return;
    }
    memcpy(name, room.data, room.length);
    name[room.length] = '\0';
    listing->complete = cJSON_AddItemToArray(listing->rooms, cJSON_CreateString(name));
}
