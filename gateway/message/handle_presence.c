/* `presence` {users} or {room}: who is online. Who may join the room `presence:{userId}` may know about that user,
 * everybody about himself; who may join a room, or is in it, may know who else is. */
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"
#include "gateway/presence/presence.h"

#include <stdio.h>
#include <stdlib.h>

/* A question under way; the connection may go meanwhile. */
struct question {
    struct worker *worker;
    uint64_t conn_id;
    uint32_t conn_index;
    cJSON *users; /* array of strings */
    char *ref;    /* NULL: none */
};

static bool users_are_sound(const cJSON *users);
static bool may_know_all(const struct worker *worker, const struct conn *conn, const cJSON *users);
static void ask(struct worker *worker, struct conn *conn, const cJSON *users, const char *ref);
static redis_presence_answer on_answer;

void handle_presence(struct worker *worker, struct conn *conn, const struct message *message) {
    const cJSON *users = NULL;

    if (message_field(message, "users", &users) != 1 || !users_are_sound(users)) {
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

static void question_free(struct question *question) {
    cJSON_Delete(question->users);
    free(question->ref);
    free(question);
}

static struct question *question_new(struct worker *worker, const struct conn *conn,
                                     const cJSON *users, const char *ref) {
    struct question *question = calloc(1, sizeof(*question));

    if (question == NULL) {
        return NULL;
    }
    question->worker = worker;
    question->conn_id = conn_id(conn);
    question->conn_index = conn_index(conn);
    question->users = cJSON_Duplicate(users, true);
    question->ref = ref != NULL ? strdup(ref) : NULL;
    if (question->users == NULL || (ref != NULL && question->ref == NULL)) {
        question_free(question);
        return NULL;
    }
    return question;
}

static void ask(struct worker *worker, struct conn *conn, const cJSON *users, const char *ref) {
    struct question *question = question_new(worker, conn, users, ref);
    struct span names[PRESENCE_USERS_MAX];
    bool online[PRESENCE_USERS_MAX];
    const cJSON *user;
    unsigned count = 0;
    int result = -ENOMEM;

    if (question != NULL) {
        cJSON_ArrayForEach(user, question->users) {
            names[count++] = span_of(user->valuestring);
        }
        result = worker->presence != NULL
                     ? presence_ask(worker->presence, names, count, online, on_answer, question)
                     : -EAGAIN;
    }
    if (result == 1) {
        on_answer(question, online, count);
    } else if (result < 0) {
        reply_error(worker, conn,
                    result == -EAGAIN ? ERROR_SERVICE_UNAVAILABLE : ERROR_MESSAGE_PROCESSING_ERROR,
                    NULL, ref);
        if (question != NULL) {
            question_free(question);
        }
    }
}

/* A user asked for twice is answered once. Who is on this host is known at once, before Redis is told. */
static cJSON *answer_data(const struct question *question, const bool *online) {
    cJSON *data = cJSON_CreateObject();
    cJSON *list = cJSON_AddObjectToObject(data, "online");
    bool complete = list != NULL;
    const cJSON *user;
    unsigned i = 0;

    cJSON_ArrayForEach(user, question->users) {
        const char *name = user->valuestring;
        bool is_on = online[i++] || presence_is_here(question->worker->presence, span_of(name));
        if (complete && cJSON_GetObjectItemCaseSensitive(list, name) == NULL) {
            complete = cJSON_AddBoolToObject(list, name, is_on) != NULL;
        }
    }
    return reply_data(data, complete);
}

static void on_answer(void *context, const bool *online, unsigned count) {
    struct question *question = context;
    struct worker *worker = question->worker;
    struct conn *conn = conn_find(worker, question->conn_index, question->conn_id);

    (void)count;
    if (conn != NULL && online != NULL) {
        reply_send(worker, conn, "presence", answer_data(question, online), question->ref);
    } else if (conn != NULL) {
        reply_error(worker, conn, ERROR_SERVICE_UNAVAILABLE, NULL, question->ref);
    }
    question_free(question);
}
