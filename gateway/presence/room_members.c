#include "gateway/presence/room_members.h"

#include "common/json.h"

#include <stdlib.h>

#define COUNT_DIGITS 9u /* more than a host has connections */

static struct span user_at(const struct room_members *members, unsigned i) {
    return (struct span){members->users[i].name, members->users[i].length};
}

void room_members_init(struct room_members *members) {
    members->sum = 0;
    members->exact = true;
    members->listed = 0;
}

void room_members_part(struct room_members *members, uint64_t total, uint64_t listed) {
    members->sum += total;
    members->exact = members->exact && listed == total;
}

void room_members_add(struct room_members *members, struct span user) {
    if (!room_name_valid(user)) {
        return;
    }
    for (unsigned i = 0; i < members->listed; i++) {
        if (span_equal(user_at(members, i), user)) {
            return;
        }
    }
    if (members->listed == ROOM_MEMBERS_MOST) {
        members->exact = false;
        return;
    }
    members->users[members->listed].length = (uint8_t)user.length;
    memcpy(members->users[members->listed++].name, user.data, user.length);
}

void room_members_miss(struct room_members *members) {
    members->exact = false;
}

uint64_t room_members_count(const struct room_members *members) {
    return members->exact || members->sum < members->listed ? members->listed : members->sum;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool write_users(const struct room_members *members, cJSON *list) {
    static char names[ROOM_MEMBERS_MOST][ROOM_NAME_MAX_BYTES + 1];
    const char *sorted[ROOM_MEMBERS_MOST];
    bool done = list != NULL;

    for (unsigned i = 0; i < members->listed; i++) {
        memcpy(names[i], members->users[i].name, members->users[i].length);
        names[i][members->users[i].length] = '\0';
        sorted[i] = names[i];
    }
    qsort(sorted, members->listed, sizeof(sorted[0]), by_name);
    for (unsigned i = 0; done && i < members->listed; i++) {
        done = cJSON_AddItemToArray(list, cJSON_CreateString(sorted[i]));
    }
    return done;
}

bool room_members_write(struct room_members *members, cJSON *object) {
    double count = (double)room_members_count(members);

    return object != NULL && cJSON_AddNumberToObject(object, "count", count) != NULL &&
           cJSON_AddBoolToObject(object, "exact", members->exact) != NULL &&
           write_users(members, cJSON_AddArrayToObject(object, "users"));
}

/* A count without sign, point or exponent. */
static bool read_count(struct json_value object, uint64_t *count) {
    struct json_value value;

    if (json_get(object, "count", &value) != 1 || value.type != JSON_NUMBER ||
        value.text.length > COUNT_DIGITS) {
        return false;
    }
    *count = 0;
    for (size_t i = 0; i < value.text.length; i++) {
        if (value.text.data[i] < '0' || value.text.data[i] > '9') {
            return false;
        }
        *count = *count * 10 + (uint64_t)(value.text.data[i] - '0');
    }
    return true;
}

int room_members_read(struct room_members *members, struct span text) {
    struct json_value object, exact, users, user;
    size_t cursor = 0;
    uint64_t count, listed = 0;

    if (json_check(text, &object, NULL) != JSON_OK || !read_count(object, &count) ||
        json_get(object, "exact", &exact) != 1 || json_get(object, "users", &users) != 1 ||
        users.type != JSON_ARRAY) {
        return -EINVAL;
    }
    for (; json_next_element(users, &cursor, &user) == 1; listed++) {
        if (user.type == JSON_STRING) { /* an id needs no escape */
            room_members_add(members, user.text);
        }
    }
    room_members_part(members, count, exact.type == JSON_TRUE ? listed : UINT64_MAX);
    return 0;
}
