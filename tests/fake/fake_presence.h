/* Who is online, for tests of messages: whoever's id begins with "on". The answer comes at once, when the test gives it,
 * or not at all. Included once a program. */
#ifndef MOONX_TESTS_FAKE_FAKE_PRESENCE_H
#define MOONX_TESTS_FAKE_FAKE_PRESENCE_H

#include "gateway/presence/presence.h"
#include "gateway/presence/room_presence.h"

static struct {
    int result; /* of presence_ask() and room_presence_ask() */
    room_presence_answer *room_answer;
    redis_presence_answer *answer;
    void *context; /* of the question under way */
    bool online[PRESENCE_USERS_MAX];
    unsigned count;
} fake_presence;

bool presence_is_here(const struct presence *presence, struct span user) {
    (void)presence;
    (void)user;
    return false;
}

int presence_ask(struct presence *presence, const struct span *users, unsigned count, bool *online,
                 redis_presence_answer *answer, void *context) {
    (void)presence;
    assert(count >= 1 && count <= PRESENCE_USERS_MAX);
    for (unsigned i = 0; i < count; i++) {
        online[i] = fake_presence.online[i] =
            users[i].length >= 2 && memcmp(users[i].data, "on", 2) == 0;
    }
    if (fake_presence.result == 0) {
        fake_presence.answer = answer;
        fake_presence.context = context;
        fake_presence.count = count;
    }
    return fake_presence.result;
}

struct room_presence *presence_rooms(const struct presence *presence) {
    (void)presence;
    return NULL;
}

/* Its answer never comes at once. */
int room_presence_ask(struct room_presence *presence, struct span room,
                      room_presence_answer *answer, void *context) {
    (void)presence;
    assert(room_name_valid(room));
    if (fake_presence.result == 0) {
        fake_presence.room_answer = answer;
        fake_presence.context = context;
    }
    return fake_presence.result;
}

/* The answer to the question under way: NULL for none. */
static inline void fake_presence_answer(bool known) {
    fake_presence.answer(fake_presence.context, known ? fake_presence.online : NULL,
                         fake_presence.count);
}

#endif
