/* Whether the host takes another handshake in this second: those who are connected come first in a storm, and whoever
 * is sent away costs little. */
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"

/* The token that a WebSocket's handshake takes; one over TLS has taken it before its cryptography. */
bool middleware_tls(struct worker *worker) {
    const struct limit *limit = worker->middleware != NULL ? worker->middleware->limit : NULL;

    if (limit == NULL || limit_handshake(limit) == 0) {
        return true;
    }
    stats_add(worker->stats, STAT_REFUSED_RATE, 1);
    return false;
}

enum middleware_verdict middleware_handshakes(struct middleware_handshake *handshake,
                                              struct middleware_refusal *refusal) {
    const struct limit *limit = handshake->rules->limit;
    bool taken = handshake->conn->flags & CONN_SECURE;
    unsigned wait_s = limit != NULL && !taken ? limit_handshake(limit) : 0;

    if (wait_s > 0) {
        *refusal = (struct middleware_refusal){
            .status = 503, .reason = "Too many connect at the moment", .retry_after_s = wait_s};
        return MIDDLEWARE_REFUSE;
    }
    return MIDDLEWARE_ALLOW;
}
