/* What everybody is told at once (declared in notice.h): beside the notices to one, since it needs the fan-out. */
#include "gateway/connection/conn.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "gateway/message/notice.h"
#include "gateway/message/reply.h"

static void tell_catching(struct worker *worker, struct conn *conn, void *context) {
    const struct span *text = context;
    if (conn->state == CONN_CATCHING) {
        conn_send_text(worker, conn, *text);
    }
}

bool notice_skipped(struct worker *worker, uint64_t count, const char *reason, bool catching_too) {
    cJSON *data = cJSON_CreateObject();
    struct span text;

    data = reply_data(data, reply_add_integer(data, "count", (int64_t)count) &&
                                cJSON_AddStringToObject(data, "reason", reason) != NULL);
    if (!reply_build("skipped", data, NULL, &text) || !fanout_everyone(worker, text)) {
        return false;
    }
    if (catching_too) {
        conn_each(worker, tell_catching, &text);
    }
    return true;
}
