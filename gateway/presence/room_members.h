/* Who is in a room: made of the answers of several workers, then of several hosts, each of which may list fewer than it
 * counts. The caller's own memory, 33 KB; used by gateway/presence/ alone. */
#ifndef MOONX_GATEWAY_PRESENCE_ROOM_MEMBERS_H
#define MOONX_GATEWAY_PRESENCE_ROOM_MEMBERS_H

#include "common/room_name.h"

#include <cjson/cJSON.h>

#define ROOM_MEMBERS_MOST 256u

struct room_members {
    uint64_t sum; /* of all parts: who is in two of them counts twice */
    bool exact;   /* every user of every part is listed here */
    unsigned listed;
    struct {
        uint8_t length;
        char name[ROOM_NAME_MAX_BYTES];
    } users[ROOM_MEMBERS_MOST];
};

void room_members_init(struct room_members *members);
/* One more part, which counts `total` users and lists `listed` of them with room_members_add(). */
void room_members_part(struct room_members *members, uint64_t total, uint64_t listed);
/* Each once; what can't be a user's id is left out. */
void room_members_add(struct room_members *members, struct span user);
/* A part has not answered. */
void room_members_miss(struct room_members *members);

/* How many there are: exact, or as many as all parts have counted. */
uint64_t room_members_count(const struct room_members *members);
/* `count`, `exact` and `users`, sorted, into an object. False: memory is out. */
bool room_members_write(struct room_members *members, cJSON *object) MUST_CHECK;
/* A part that another host has written so. -EINVAL: it is none, nothing has been added. */
int room_members_read(struct room_members *members, struct span text) MUST_CHECK;

#endif
