/* Whether the client may say another thing now: RATE_LIMIT_MAX_MESSAGES_PER_MINUTE of its user, on all workers
 * together. Before there is a user, a connection has a small number of messages in all.
 *
 * A refusal tells when to try again. A client that goes on all the same is closed: each refusal counts one up and
 * each accepted message one down, so that who only now and then says too much stays. */
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_table.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"

#define EARLY_MESSAGES 30u
#define EARLY_RETRY_S  60u
#define REFUSALS_BORNE 50u

static void refuse(const struct middleware_message *message, unsigned retry_after_s) {
    struct worker *worker = message->worker;
    struct conn *conn = message->conn;

    reply_rate_limited(worker, conn, retry_after_s, message->ref);
    conn->limit_refusals = (conn->limit_refusals + 1u) & 0xffu;
    if (conn->limit_refusals == REFUSALS_BORNE) {
        stats_add(worker->stats, STAT_ABUSERS_CLOSED, 1);
        conn_close(worker, conn, CLOSE_POLICY, "Rate limit exceeded");
    }
}

static unsigned seconds_to_wait(const struct middleware_message *message) {
    struct conn *conn = message->conn;

    if (conn_authenticated(conn)) {
        return limit_message(message->rules->limit, conn->limit_user,
                             conn_user_id(message->worker, conn),
                             message->type != NULL ? message->type->type : "", message->bytes);
    }
    if (conn->limit_early >= EARLY_MESSAGES) {
        return EARLY_RETRY_S;
    }
    conn->limit_early = (conn->limit_early + 1u) & 0xffu;
    return 0;
}

bool middleware_messages(const struct middleware_message *message) {
    if (message->rules->limit == NULL) {
        return true;
    }
    unsigned wait_s = seconds_to_wait(message);
    if (wait_s > 0) {
        refuse(message, wait_s);
        return false;
    }
    if (message->conn->limit_refusals > 0) {
        message->conn->limit_refusals = (message->conn->limit_refusals - 1u) & 0xffu;
    }
    return true;
}
