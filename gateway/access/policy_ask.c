#include "gateway/access/policy_ask.h"

#include "gateway/connection/conn.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* else uthash ends the process when memory is out */
#include <uthash.h>

/* A connection with questions under way. */
struct asker {
    uint64_t conn_id;
    uint32_t conn_index;
    unsigned count;
    UT_hash_handle hh;
};

struct question {
    struct worker *worker;
    struct asker *asker;
    policy_ask_answer *answer;
    void *context;
};

static struct asker *askers; /* uthash; one worker a process */

static struct asker *asker_of(const struct conn *conn);
static void leave(struct asker *asker);
static void on_answer(void *context, enum policy_result result);

enum policy_result policy_ask_now(const struct worker *worker, const struct conn *conn,
                                  enum policy_action action, struct span room) {
    struct span roles[IDENTITY_ROLES_MAX];
    struct policy_subject subject = conn_subject(worker, conn, roles);
    const struct auth_rooms_question question = {action, subject.user_id, room};
    enum policy_result result = policy_judge(worker->policy, action, room, &subject);

    if (result != POLICY_LATER) {
        return result;
    }
    return auth_rooms(worker->auth) == NULL
               ? POLICY_DENY
               : auth_rooms_recall(auth_rooms(worker->auth), &question, NULL);
}

int policy_ask_later(struct worker *worker, const struct conn *conn, enum policy_action action,
                     struct span room, policy_ask_answer *answer, void *context) {
    const struct auth_rooms_question asked = {action, conn_user_id(worker, conn), room};
    struct asker *asker = asker_of(conn);
    struct question *question = asker == NULL ? NULL : malloc(sizeof(*question));
    int error = question == NULL ? -ENOMEM : -EAGAIN;

    if (question != NULL) {
        *question = (struct question){worker, asker, answer, context};
        if (asker->count < POLICY_ASK_MOST) {
            error = auth_rooms_ask(auth_rooms(worker->auth), &asked, on_answer, question);
        }
    }
    if (error == 0) {
        asker->count++;
        return 0;
    }
    free(question);
    if (asker != NULL) {
        leave(asker);
    }
    return error;
}

bool policy_ask_rules(const struct worker *worker, const struct conn *conn,
                      enum policy_action action, struct span room) {
    struct span roles[IDENTITY_ROLES_MAX];
    struct policy_subject subject = conn_subject(worker, conn, roles);

    return auth_rooms(worker->auth) != NULL &&
           policy_judge(worker->policy, action, room, &subject) == POLICY_LATER;
}

enum error_code policy_ask_error(enum policy_result result) {
    switch (result) {
    case POLICY_DENY:
        return ERROR_PERMISSION_DENIED;
    case POLICY_UNKNOWN:
        return ERROR_UNKNOWN_CHANNEL;
    case POLICY_ALLOW:
    case POLICY_LATER:
    case POLICY_UNAVAILABLE:
        break;
    }
    return ERROR_SERVICE_UNAVAILABLE;
}

static struct asker *asker_of(const struct conn *conn) {
    uint64_t id = conn_id(conn);
    struct asker *asker;

    HASH_FIND(hh, askers, &id, sizeof(id), asker);
    if (asker != NULL) {
        return asker;
    }
    asker = calloc(1, sizeof(*asker));
    if (asker == NULL) {
        return NULL;
    }
    asker->conn_id = id;
    asker->conn_index = conn_index(conn);
    HASH_ADD(hh, askers, conn_id, sizeof(asker->conn_id), asker);
    if (asker->hh.tbl == NULL) {
        free(asker);
        return NULL;
    }
    return asker;
}

/* With the last question it goes. */
static void leave(struct asker *asker) {
    if (asker->count == 0) {
        HASH_DEL(askers, asker);
        free(asker);
    }
}

static void on_answer(void *context, enum policy_result result) {
    struct question *question = context;
    struct asker *asker = question->asker;
    struct conn *conn = conn_find(question->worker, asker->conn_index, asker->conn_id);

    asker->count--;
    leave(asker);
    question->answer(question->worker, conn, question->context, result);
    free(question);
}
