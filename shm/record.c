#include "shm/record.h"

static bool room_valid(const struct record *record, const struct record_room *room, size_t body);

bool record_valid(const struct record *record, size_t available) {
    if (available < sizeof(*record) || record->length < sizeof(*record) ||
        record->length > available || record->length % RECORD_ALIGN != 0)
        return false;
    if (record->kind < RECORD_EVENT || record->kind > RECORD_CONTROL ||
        record->room_count > RECORD_MAX_ROOMS)
        return false;

    size_t body = sizeof(*record) + record->room_count * sizeof(struct record_room);
    if (body > record->length)
        return false;
    for (unsigned i = 0; i < record->room_count; i++)
        if (!room_valid(record, &record->rooms[i], body))
            return false;
    if (record->envelope_length == 0)
        return record->envelope_at <= record->length;
    return record->envelope_at >= body && record->envelope_at < record->length &&
           record->envelope_length <= record->length - record->envelope_at;
}

static bool room_valid(const struct record *record, const struct record_room *room, size_t body) {
    return room->name_length >= 1 && room->name_length <= ROOM_NAME_MAX_BYTES &&
           room->kind < ROOM_KIND_COUNT && room->name_at >= body &&
           room->name_at < record->length && room->name_length <= record->length - room->name_at;
}
