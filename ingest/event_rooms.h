/* The rooms of one event: templates expanded, names checked, each once. A personal room is kept as {kind,
 * hash of the user id, user id}, any other as {plain, hash of the name, name} (common/room_name.h). Pure;
 * ingest owns one of these and uses it for every event, so nothing is allocated. */
#ifndef MOONX_INGEST_EVENT_ROOMS_H
#define MOONX_INGEST_EVENT_ROOMS_H

#include "ingest/event_check.h"
#include "shm/record.h"

struct event_room {
    uint64_t hash;
    uint32_t name_at; /* in names */
    uint16_t name_length;
    uint16_t kind; /* enum room_kind */
};

struct event_rooms {
    unsigned count;
    unsigned invalid; /* names that came out invalid and were left out */
    size_t names_length;
    struct event_room list[RECORD_MAX_ROOMS];
    char names[RECORD_MAX_ROOMS * ROOM_NAME_MAX_BYTES];
};

/* EVENT_OK, EVENT_NO_ROOM, EVENT_MANY_ROOMS, EVENT_TWICE; `invalid` is set in each case. A control event has
 * no rooms and is EVENT_OK. */
enum event_fault event_rooms_find(const struct siphash_key *hash_key, const struct route *route,
                                  const struct event *event, struct event_rooms *out) MUST_CHECK;

#endif
