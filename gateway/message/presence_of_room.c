#include "gateway/message/presence_of_room.h"

#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/presence_question.h"
#include "gateway/message/reply.h"
#include "gateway/presence/presence.h"
#include "gateway/presence/room_presence.h"

static enum policy_result may_know(const struct worker *worker, const struct conn *conn,
                                   struct span room);
static void ask(struct presence_question *question, struct conn *conn);
static policy_ask_answer on_policy;
static room_presence_answer on_members;

void presence_of_room(struct worker *worker, struct conn *conn, const cJSON *room,
                      const char *ref) {
    struct span name = span_of(room->valuestring);
    enum policy_result result = may_know(worker, conn, name);

    if (result != POLICY_ALLOW && result != POLICY_LATER) {
        reply_error(worker, conn, policy_ask_error(result), NULL, ref);
        return;
    }
    struct presence_question *question = presence_question_new(worker, conn, room, ref);
    int error = question == NULL ? -ENOMEM : 0;
    if (error == 0 && result == POLICY_LATER) {
        error = policy_ask_later(worker, conn, POLICY_JOIN, name, on_policy, question);
    }
    if (error != 0) {
        presence_question_refuse(question, worker, conn, error, ref);
    } else if (result == POLICY_ALLOW) {
        ask(question, conn);
    }
}

static enum policy_result may_know(const struct worker *worker, const struct conn *conn,
                                   struct span room) {
    if (!room_name_valid(room)) {
        return POLICY_UNKNOWN;
    }
    return conn_in_room(worker, conn, room) ? POLICY_ALLOW
                                            : policy_ask_now(worker, conn, POLICY_JOIN, room);
}

static void on_policy(struct worker *worker, struct conn *conn, void *context,
                      enum policy_result result) {
    struct presence_question *question = context;

    if (conn != NULL && result == POLICY_ALLOW) {
        ask(question, conn);
        return;
    }
    if (conn != NULL) {
        reply_error(worker, conn, policy_ask_error(result), NULL, question->ref);
    }
    presence_question_free(question);
}

static void ask(struct presence_question *question, struct conn *conn) {
    struct worker *worker = question->worker;
    struct span room = span_of(question->about->valuestring);
    int error = worker->presence == NULL ? -EAGAIN
                                         : room_presence_ask(presence_rooms(worker->presence), room,
                                                             on_members, question);

    if (error != 0) {
        presence_question_refuse(question, worker, conn, error, question->ref);
    }
}

static void on_members(void *context, struct room_members *members) {
    struct presence_question *question = context;
    cJSON *data = NULL;

    if (members != NULL) {
        data = cJSON_CreateObject();
        bool done = cJSON_AddStringToObject(data, "room", question->about->valuestring) != NULL &&
                    room_members_write(members, data);
        data = reply_data(data, done);
    }
    presence_question_answer(question, members != NULL, data);
}
