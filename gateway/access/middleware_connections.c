/* Whether this address, and later this user, may have one connection more; and counting them. What a connection
 * counts for stands in its struct and is given back when it is buried, or by the supervisor for a dead worker. */
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"

enum middleware_verdict middleware_connections(struct middleware_handshake *handshake,
                                               struct middleware_refusal *refusal) {
    const struct limit *limit = handshake->rules->limit;
    uint32_t index = 0;

    if (limit == NULL || limit->per_address == 0 || !handshake->client.known) {
        return MIDDLEWARE_ALLOW;
    }
    if (!limit_enter_address(limit, &handshake->client.address, &index)) {
        *refusal =
            (struct middleware_refusal){.status = 429,
                                        .reason = "This address has too many connections already",
                                        .retry_after_s = 0};
        return MIDDLEWARE_REFUSE;
    }
    handshake->conn->limit_address = index & 0xffffffu;
    return MIDDLEWARE_ALLOW;
}

static struct limit *limit_of(const struct worker *worker) {
    return worker->middleware != NULL ? worker->middleware->limit : NULL;
}

static void leave_user(const struct limit *limit, struct conn *conn) {
    limit_leave(limit, conn->limit_user);
    conn->limit_user = 0;
}

/* Counted even if any number is allowed: the entry is then his as long as he is here, and his messages find it
 * without a search. */
bool middleware_user(struct worker *worker, struct conn *conn, struct span user_id) {
    const struct limit *limit = limit_of(worker);
    uint32_t index = 0;

    if (limit == NULL) {
        return true;
    }
    leave_user(limit, conn); /* of an attempt that failed later */
    if (!limit_enter_user(limit, user_id, &index)) {
        return false;
    }
    conn->limit_user = index & 0xffffffu;
    return true;
}

void middleware_leave(struct worker *worker, struct conn *conn) {
    const struct limit *limit = limit_of(worker);

    if (limit != NULL) {
        leave_user(limit, conn);
        limit_leave(limit, conn->limit_address);
        conn->limit_address = 0;
    }
}
