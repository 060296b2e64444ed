#include "gateway/reload.h"

#include "common/log.h"
#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn_table.h"
#include "gateway/http/admin_rule.h"
#include "gateway/message/auto_join.h"
#include "gateway/message/notice.h"
#include "gateway/message/room_lease.h"

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
    if (result == 0) {
        auth_keep_claims(auth, policy_claims(policy));
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
    struct auth *old_auth = worker->auth;
    struct policy *old_policy = worker->policy;
    admin_rule_free(worker->admin);
    worker->auth = auth;
    worker->policy = policy;
    worker->admin = admin;
    auth_free(old_auth); /* who waits for its answers is told, and may ask the new one */
    policy_free(old_policy);
    return 0;
}

/* Rooms that one connection has to leave. */
struct revoked {
    struct worker *worker;
    const struct conn *conn;
    unsigned count;
    char (*names)[ROOM_NAME_MAX_BYTES + 1]; /* room for as many as it is in */
};

static void look_at_room(void *context, struct span room) {
    struct revoked *revoked = context;
    enum policy_result result = policy_ask_now(revoked->worker, revoked->conn, POLICY_JOIN, room);
    /* what the operator has it join by itself needs no line in the table (auto_join.h) */
    bool stays = result == POLICY_ALLOW || result == POLICY_LATER ||
                 (result == POLICY_UNKNOWN &&
                  auto_join_names(revoked->worker->options->auto_join_rooms,
                                  conn_user_id(revoked->worker, revoked->conn), room));
    /* the auth service is asked soon, or again when its last answer has run out */
    if (stays && policy_ask_rules(revoked->worker, revoked->conn, POLICY_JOIN, room)) {
        stays = room_lease_hold(revoked->worker, revoked->conn, room) == 0;
    }
    if (!stays) {
        char *name = revoked->names[revoked->count++];
        memcpy(name, room.data, room.length);
        name[room.length] = '\0';
    }
}

static void take_rooms(struct worker *worker, struct conn *conn, void *context) {
    unsigned *left = context;
    struct revoked revoked = {.worker = worker, .conn = conn};
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
