#include "gateway/reload.h"

#include "common/log.h"
#include "gateway/access/policy.h"
#include "gateway/connection/conn_table.h"
#include "gateway/http/admin_rule.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/notice.h"

#include <stdlib.h>

int reload_read(struct worker *worker, bool dev, char *error, size_t error_size) {
    struct auth *auth = NULL;
    struct policy *policy = NULL;
    struct admin_rule *admin = NULL;
    int result = auth_new(worker->options, dev, &auth, error, error_size);
    if (result == 0) {
        result = policy_new(worker->options->rooms_file, &policy, error, error_size);
    }
    if (result == 0) {
        result = admin_rule_new(worker->options, &admin, error, error_size);
    }
    if (result == 0 && worker->base != NULL) { /* before there is a loop, worker.c does it */
        result = auth_start(auth, worker->base, worker->stats);
    }
    if (result != 0) {
        auth_free(auth);
        policy_free(policy);
        admin_rule_free(admin);
        return result;
    }
    auth_free(worker->auth);
    policy_free(worker->policy);
    admin_rule_free(worker->admin);
    worker->auth = auth;
    worker->policy = policy;
    worker->admin = admin;
    return 0;
}

/* Rooms that one connection has to leave. */
struct revoked {
    const struct worker *worker;
    struct policy_subject subject;
    unsigned count;
    char (*names)[ROOM_NAME_MAX_BYTES + 1]; /* room for as many as it is in */
};

static void look_at_room(void *context, struct span room) {
    struct revoked *revoked = context;
    enum policy_result result = policy_may_join(revoked->worker->policy, room, &revoked->subject);
    /* what the operator has it join by itself needs no line in the table (auto_join.h) */
    bool stays =
        result == POLICY_ALLOW ||
        (result == POLICY_UNKNOWN && auto_join_names(revoked->worker->options->auto_join_rooms,
                                                     revoked->subject.user_id, room));
    if (!stays) {
        char *name = revoked->names[revoked->count++];
        memcpy(name, room.data, room.length);
        name[room.length] = '\0';
    }
}

static void take_rooms(struct worker *worker, struct conn *conn, void *context) {
    unsigned *left = context;
    struct span roles[IDENTITY_ROLES_MAX];
    struct revoked revoked = {
        .worker = worker,
        .subject = conn_subject(worker, conn, roles),
    };
    if (conn->state != CONN_LIVE || conn->room_count == 0) {
        return;
    }
    revoked.names = calloc(conn->room_count, sizeof *revoked.names);
    if (revoked.names == NULL) {
        conn_close(worker, conn, CLOSE_SERVER_ERROR,
                   "Out of memory"); /* rather than let it listen on */
        return;
    }
    conn_each_room(worker, conn, look_at_room, &revoked);
    for (unsigned i = 0; i < revoked.count; i++) {
        conn_leave(worker, conn, span_of(revoked.names[i]));
        notice_revoked(worker, conn, revoked.names[i]);
    }
    *left += revoked.count;
    free(revoked.names);
}

void reload_in_place(struct worker *worker, bool dev) {
    char error[512] = "";
    unsigned left = 0;
    if (reload_read(worker, dev, error, sizeof error) != 0) {
        log_error("reload refused, the old configuration stays: %s", error);
        return;
    }
    conn_each(worker, take_rooms, &left);
    log_info("reloaded; %u memberships ended", left);
}
