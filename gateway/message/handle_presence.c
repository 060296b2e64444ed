/* `presence` {users}: who is online; {room}: who is in it (presence_of_room.h). Who may join the room
 * `presence:{userId}` may know about that user, everybody about himself. */
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/message.h"
#include "gateway/message/presence_of_room.h"
#include "gateway/message/presence_question.h"
#include "gateway/message/reply.h"
#include "gateway/presence/presence.h"

#include <stdio.h>

static bool users_are_sound(const cJSON *users);
static bool may_know_all(const struct worker *worker, const struct conn *conn, const cJSON *users);
static void ask(struct worker *worker, struct conn *conn, const cJSON *users, const char *ref);
static redis_presence_answer on_answer;

void handle_presence(struct worker *worker, struct conn *conn, const struct message *message) {
    const cJSON *users = NULL, *room = NULL;
    int by_users = message_field(message, "users", &users);
    int by_room = message_field(message, "room", &room);

    if (by_users == 0 && by_room == 1 && cJSON_IsString(room)) {
        presence_of_room(worker, conn, room, message->ref);
    } else if (by_users != 1 || by_room != 0 || !users_are_sound(users)) {
        reply_error(worker, conn, ERROR_INVALID_MESSAGE, NULL, message->ref);
    } else if (!may_know_all(worker, conn, users)) {
        reply_error(worker, conn, ERROR_PERMISSION_DENIED, NULL, message->ref);
    } else {
        ask(worker, conn, users, message->ref);
    }
}

/* ROOM_PRESENCE and the id must make the name of a room. */
static bool is_user(const cJSON *user, char room[ROOM_NAME_MAX_BYTES + 1]) {
    int length;

    if (!cJSON_IsString(user) || user->valuestring[0] == '\0') {
        return false;
    }
    length = snprintf(room, ROOM_NAME_MAX_BYTES + 1, ROOM_PRESENCE "%s", user->valuestring);
    return length <= ROOM_NAME_MAX_BYTES && room_name_valid(span_of(room));
}

static bool users_are_sound(const cJSON *users) {
    char room[ROOM_NAME_MAX_BYTES + 1];
    const cJSON *user;
    int count = 0;

    if (!cJSON_IsArray(users)) {
        return false;
    }
    cJSON_ArrayForEach(user, users) {
        if (++count > PRESENCE_USERS_MAX || !is_user(user, room)) {
            return false;
        }
    }
    return count > 0;
}

static bool may_know(const struct worker *worker, const struct conn *conn, const cJSON *user) {
    char room[ROOM_NAME_MAX_BYTES + 1];

    return span_is(conn_user_id(worker, conn), user->valuestring) ||
           (is_user(user, room) &&
            (policy_ask_now(worker, conn, POLICY_JOIN, span_of(room)) == POLICY_ALLOW ||
             conn_in_room(worker, conn, span_of(room))));
}

static bool may_know_all(const struct worker *worker, const struct conn *conn, const cJSON *users) {
    const cJSON *user;

    cJSON_ArrayForEach(user, users) {
        if (!may_know(worker, conn, user)) {
            return false;
        }
    }
    return true;
}

static void ask(struct worker *worker, struct conn *conn, const cJSON *users, const char *ref) {
    struct presence_question *question = presence_question_new(worker, conn, users, ref);
    struct span names[PRESENCE_USERS_MAX];
    bool online[PRESENCE_USERS_MAX];
    const cJSON *user;
    unsigned count = 0;
    int result = -ENOMEM;

    if (question != NULL) {
        cJSON_ArrayForEach(user, question->about) {
            names[count++] = span_of(user->valuestring);
        }
        result = worker->presence != NULL
                     ? presence_ask(worker->presence, names, count, online, on_answer, question)
                     : -EAGAIN;
    }
    if (result == 1) {
        on_answer(question, online, count);
    } else if (result < 0) {
        presence_question_refuse(question, worker, conn, result, ref);
    }
}

/* A user asked for twice is answered once. Who is on this host is known at once, before Redis is told. */
static cJSON *answer_data(const struct presence_question *question, const bool *online) {
    cJSON *data = cJSON_CreateObject();
    cJSON *list = cJSON_AddObjectToObject(data, "online");
    bool complete = list != NULL;
    const cJSON *user;
    unsigned i = 0;

    cJSON_ArrayForEach(user, question->about) {
        const char *name = user->valuestring;
        bool is_on = online[i++] || presence_is_here(question->worker->presence, span_of(name));
        if (complete && cJSON_GetObjectItemCaseSensitive(list, name) == NULL) {
            complete = cJSON_AddBoolToObject(list, name, is_on) != NULL;
        }
    }
    return reply_data(data, complete);
}

static void on_answer(void *context, const bool *online, unsigned count) {
    struct presence_question *question = context;

    (void)count;
    presence_question_answer(question, online != NULL,
                             online != NULL ? answer_data(question, online) : NULL);
}
